/** Every stored report is read once, with what is known of it, whatever somebody stored. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createTestDatabase, emptyTables, type TestDatabase } from '../../../test/support/postgres.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { readSeenReports, reportBytesMax } from './read-coverage.ts';
import { CoverageTally, type SeenReport } from './tally-coverage.ts';

let context: TestDatabase;
before(async () => {
  context = await createTestDatabase({ migrated: true, sets: ['records'] });
});
after(() => context.drop());
beforeEach(() =>
  emptyTables(context.database, 'new_reports', 'ccx.report_facts', 'ccx.catalogues', 'ccx.skipped_rules'),
);

const query = (text: string, values: readonly unknown[] = []) => context.database.query(text, values);

interface Stored {
  readonly orgId?: number;
  /** Number of the cluster. */
  readonly cluster?: number;
  readonly at?: string;
  readonly report?: string;
}

async function store({ orgId = 1, cluster = 1, at = '2026-11-21', report = '{"reports":[]}' }: Stored): Promise<void> {
  await query(
    `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at, kafka_offset)
     VALUES ($1, 0, lpad($2::text, 36, '0'), $3, $4, 0)`,
    [orgId, cluster, report, at],
  );
}

async function describeStored(facts: Readonly<Record<string, unknown>>): Promise<void> {
  const columns = Object.keys(facts);
  await query(
    `INSERT INTO ccx.report_facts (org_id, cluster, updated_at, request_id, last_checked${columns.map((name) => `, ${name}`).join('')})
     SELECT org_id, cluster, updated_at, '', updated_at${columns.map((_, index) => `, $${index + 1}`).join('')} FROM new_reports`,
    Object.values(facts),
  );
}

async function read(which: Parameters<typeof readSeenReports>[1] = {}): Promise<SeenReport[]> {
  const reports: SeenReport[] = [];
  for await (const report of readSeenReports(context.database, which)) reports.push(report);
  return reports;
}

const module = 'ccx_rules_ocp.external.rules.some_rule';
const hitOf = (key: string) => ({ component: `${module}.report`, key, type: 'rule', details: { many: 'things' } });

test('a report is read with its hits, its catalogue, what was skipped and what did not run', async () => {
  await store({ report: JSON.stringify({ reports: [hitOf('A'), hitOf('B')] }) });
  const digest = Buffer.alloc(32, 7);
  const skipped = { lacking: { reason: 'MISSING_REQUIREMENTS', details: "All: ['x'] Any: " } };
  const didNotRun = { broken: { reason: 'INPUT_BROKEN', details: '' } };
  await query('INSERT INTO ccx.catalogues (version, rules_sha256, rules) VALUES ($1, $2, $3)', [
    'v',
    digest,
    ['m', 'n'],
  ]);
  await query('INSERT INTO ccx.skipped_rules (sha256, rules, stored_at) VALUES ($1, $2, now())', [digest, skipped]);
  await describeStored({
    ...{ catalogue_version: 'v', catalogue_rules_sha256: digest, skipped_sha256: digest },
    did_not_run: didNotRun,
  });
  assert.deepEqual(await read(), [
    {
      hits: [
        { module, errorKey: 'A' },
        { module, errorKey: 'B' },
      ],
      ...{ described: true, catalogue: new Set(['m', 'n']), skipped, didNotRun },
    },
  ]);
});

test('what an earlier release or another writer stored is read as far as it goes', async () => {
  await store({ report: '{"reports":null}' });
  const skipped = { lacking: { reason: 'MISSING_REQUIREMENTS', details: '' } };
  await describeStored({ skipped });
  await store({ cluster: 2, report: JSON.stringify({ reports: [hitOf('A')] }) });
  const undescribed = { catalogue: undefined, skipped: {}, didNotRun: {} };
  assert.deepEqual(await read(), [
    { hits: [], described: true, catalogue: undefined, skipped, didNotRun: {} },
    { hits: [{ module, errorKey: 'A' }], described: false, ...undescribed },
  ]);
});

test('what is no report is counted as such, and costs no other report', async () => {
  const texts = ['', '{', '[]', '"text"', '7', '{"reports":{}}', `{"reports":"${'x'.repeat(reportBytesMax)}"}`];
  const empty = ['null', '{}', '{"reports":[null,7,{"component":1,"key":"A"},{"component":"","key":"A"}]}'];
  for (const [index, report] of [...texts, ...empty].entries()) await store({ cluster: index, report });
  const hits = (await read()).map((report) => report.hits);
  assert.deepEqual(hits, [...texts.map(() => undefined), ...empty.map(() => [])]);
});

test('every report is read once, over all pages, or those of an organization, or the newest of each cluster', async () => {
  await query(
    `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at, kafka_offset)
     SELECT org_id, 0, lpad(cluster::text, 36, '0'), $1, timestamp '2026-11-21' + report * interval '1 hour', 0
       FROM generate_series(1, 3) AS org_id, generate_series(1, 700) AS cluster, generate_series(1, 2) AS report`,
    [JSON.stringify({ reports: [hitOf('A')] })],
  );
  // Some that fill a page by their size.
  const large = JSON.stringify({ reports: [hitOf('LARGE')], filler: 'x'.repeat(reportBytesMax / 3) });
  for (let cluster = 1; cluster <= 7; cluster += 1) await store({ orgId: 2, cluster, at: '2020-01-01', report: large });
  const counts = async (which: Parameters<typeof readSeenReports>[1]) => {
    const tally = new CoverageTally([]);
    for (const report of await read(which)) tally.add(report);
    return tally.coverage().rules[0]!.errorKeys;
  };
  assert.deepEqual(await counts({}), { A: 4_200, LARGE: 7 });
  assert.deepEqual(await counts({ orgId: 2 }), { A: 1_400, LARGE: 7 });
  assert.deepEqual(await counts({ newest: true }), { A: 2_100 });
  assert.deepEqual(await counts({ newest: true, orgId: 3 }), { A: 700 });
});

test('a database without the tables of this release is refused by name', async () => {
  const bare = await createTestDatabase({ migrated: true });
  try {
    const first = async () => await readSeenReports(bare.database, {}).next();
    await assert.rejects(first, (error) => error instanceof CcxError && error.code === 'RULES_COVERAGE_TABLES');
  } finally {
    await bare.drop();
  }
});
