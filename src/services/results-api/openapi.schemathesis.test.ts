/**
 * `openapi.json` is true: Schemathesis asks the API what its description allows, and what it does not, and holds each answer against it.
 * Seconds, with a fixed seed: the same questions every time.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  clusterA,
  keyA,
  moduleA,
  R2,
  type ResultsBench,
  seedOwner,
  seedReport,
  startResultsBench,
} from '../../../test/support/results-bench.ts';
import { runSchemathesis } from '../../../test/support/schemathesis.ts';

const examplesOfEach = 5;
/** Not whether Node knows a method, nor what a schema cannot say of a text. */
const checks = [
  ...['not_a_server_error', 'status_code_conformance', 'content_type_conformance', 'response_schema_conformance'],
  ...['response_headers_conformance', 'negative_data_rejection', 'ignored_auth', 'missing_required_header'],
];
let bench: ResultsBench;

before(async () => {
  // An answer 501 would be a server's fault in its eyes.
  bench = await startResultsBench({ archives: async () => ({ alerts: [], operators: [] }) });
  const hits = [{ module: moduleA, key: keyA }];
  await seedReport(bench.database, { orgId: 1, cluster: clusterA, at: '2026-11-21 10:00:00', requestId: 'a', hits });
  await seedOwner(bench.database, { cluster: clusterA, orgId: 1 });
});
after(() => bench.end());

test('every answer is one that the description has, to questions that fit it and to those that do not', async () => {
  const { code, output } = await runSchemathesis([
    ...['run', `${bench.url}${R2}/openapi.json`, '--url', bench.url],
    ...['--header', 'Authorization: Bearer admin', '--phases', 'examples,coverage,fuzzing'],
    // The same routes once more.
    ...['--exclude-path-regex', '^/api/v2/', '--checks', checks.join(',')],
    ...['--max-examples', String(examplesOfEach), '--seed', '1', '--no-color', '--workers', '1'],
  ]);
  assert.equal(code, 0, output);
});
