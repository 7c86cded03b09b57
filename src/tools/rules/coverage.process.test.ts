/** `ccx rules coverage`, as a person and as a script use it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runCcx } from '../../../test/support/ccx-process.ts';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import type { Coverage } from './tally-coverage.ts';

let context: TestDatabase;
before(async () => {
  context = await createTestDatabase({ migrated: true, sets: ['records'] });
});
after(() => context.drop());

const coverage = (...args: string[]) => runCcx(['rules', 'coverage', '--database', context.url, ...args]);
const module = 'ccx_rules_ocp.external.rules.psp_installed';

test('what stored reports say of each rule is told in a table and as JSON', async () => {
  assert.deepEqual(await coverage(), { code: 0, stdout: 'no report is stored\n', stderr: '' });
  await context.database.query(
    `WITH stored AS (
       INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at, kafka_offset)
       SELECT 7, 0, gen_random_uuid(), '{"reports":[]}', now(), 0 FROM generate_series(1, 3) RETURNING *)
     INSERT INTO ccx.report_facts (org_id, cluster, updated_at, request_id, last_checked, skipped)
     SELECT org_id, cluster, updated_at, '', updated_at, $1 FROM stored LIMIT 2`,
    [{ [module]: { reason: 'MISSING_REQUIREMENTS', details: "All: ['podSecurityPolicies'] Any: " } }],
  );
  const { code, stdout, stderr } = await coverage();
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const [head, blank, titles, first, lacked] = stdout.split('\n');
  assert.deepEqual([head, blank], ['3 reports; of 1 nothing is known beyond what was found', '']);
  assert.match(titles!, /^reports +ran +hit +skipped +missing +broken +failed +left +rule$/);
  assert.match(first!, new RegExp(`^ +2 +0 +0 +2 +0 +0 +0 +0 +${module}$`));
  assert.match(lacked!, /^ +skipped for want of podSecurityPolicies \(2\)$/);

  const { rules, ...counts } = JSON.parse((await coverage('--json', '--newest')).stdout) as Coverage;
  assert.deepEqual(counts, { reports: 3, notDescribed: 1, unreadable: 0 });
  assert.deepEqual([rules[0]!.module, rules[0]!.skipped.reports, rules[0]!.ran], [module, 2, 0]);
  assert.match((await coverage('--organization', '8')).stdout, /^no report is stored\n$/);
});

test('what nobody can mean, and a database that is another, end with 1 and say why', async () => {
  const wrong = await coverage('--organization', 'mine');
  assert.deepEqual([wrong.code, wrong.stdout], [1, '']);
  assert.match(wrong.stderr, /\[RULES_COVERAGE_ORGANIZATION\]/);
  const bare = await createTestDatabase();
  try {
    const { code, stderr } = await coverage('--database', bare.url);
    assert.equal(code, 1);
    assert.match(stderr, /new_reports.*\[RULES_COVERAGE_TABLES\]\n.*ccx db init/);
  } finally {
    await bare.drop();
  }
});
