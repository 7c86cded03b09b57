/** The record of what was stored goes when its reports go, and not before. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { asEarlierRelease, createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import { sliceRowsMax } from '../../platform/database/delete-old-rows.ts';
import { deleteStoredMessages } from '../../platform/records/old-rows.ts';
import { createFactsSweep, factsPageRowsMax } from '../../platform/records/report-facts.ts';
import { followNewReports } from './retention.ts';

const dayMs = 86_400_000;
let context: TestDatabase;
before(async () => {
  context = await createTestDatabase({ migrated: true });
  await migrateCcx(context.database, 'writer');
  await migrateCcx(context.database, 'records');
});
after(() => context.drop());
beforeEach(() =>
  context.database.query(
    'TRUNCATE new_reports, read_errors, ccx.stored_message, ccx.stored_positions, ccx.report_facts, ccx.catalogues, ccx.skipped_rules',
  ),
);

/** Ages in days; `count` of each, all of one cluster. */
async function remember(ages: readonly number[], count = 1): Promise<void> {
  await asEarlierRelease(
    context.database,
    `INSERT INTO ccx.stored_message
     SELECT 't', 0, row_number() OVER (), '', '', 1, 'c', '', (now() AT TIME ZONE 'UTC') - age * interval '1 day'
       FROM unnest($1::float8[]) AS age, generate_series(1, $2::int)`,
    [ages, count],
  );
}

async function report(age: number): Promise<void> {
  await context.database.query(
    `INSERT INTO new_reports VALUES (1, 1, 'c', '', (now() AT TIME ZONE 'UTC') - $1::float8 * interval '1 day', 0)`,
    [age],
  );
}

async function left(): Promise<number[]> {
  const { rows } = await context.database.query<{ age: number }>(
    `SELECT round(extract(epoch FROM (now() AT TIME ZONE 'UTC') - updated_at) / 86400)::int AS age
       FROM ccx.stored_message ORDER BY updated_at DESC`,
  );
  return rows.map(({ age }) => age);
}

const follow = (options: { readonly retentionMs: number; readonly signal?: AbortSignal }) =>
  followNewReports(context.database, { sweepFacts: createFactsSweep(), ...options });

test('what is older than an interval goes, in as many portions as it takes', async () => {
  await remember([1, 8, 9], sliceRowsMax / 2 + 1);
  assert.equal(await deleteStoredMessages(context.database, '7 days'), sliceRowsMax + 2);
  assert.deepEqual([...new Set(await left())], [1]);
});

test('what is older than the oldest report goes, whoever cleaned the reports', async () => {
  await remember([1, 3, 5, 7]);
  await report(2);
  await report(4);
  assert.equal(await follow({ retentionMs: 30 * dayMs }), 2);
  assert.deepEqual(await left(), [1, 3]);
});

test('one very old report does not keep records past their own retention', async () => {
  await remember([1, 40]);
  await report(10_000);
  await follow({ retentionMs: 30 * dayMs });
  assert.deepEqual(await left(), [1]);
});

test("without any report only the records of the last hour stay, which may be somebody's transaction", async () => {
  await remember([0, 1]);
  await follow({ retentionMs: 30 * dayMs });
  assert.deepEqual(await left(), [0]);
});

test('a stop ends it between two portions', async () => {
  await remember([9]);
  assert.equal(await follow({ retentionMs: dayMs, signal: AbortSignal.abort() }), 0);
  assert.deepEqual(await left(), [9]);
});

test('a position goes when nothing has come from its partition for as long', async () => {
  await context.database.query(
    `INSERT INTO ccx.stored_positions
     SELECT 't', '', partition, 0, 1, (now() AT TIME ZONE 'UTC') - age
       FROM (VALUES (0, interval '29 days'), (1, interval '31 days')) AS p (partition, age)`,
  );
  assert.equal(await follow({ retentionMs: 30 * dayMs }), 1);
  const { rows } = await context.database.query('SELECT partition FROM ccx.stored_positions');
  assert.deepEqual(rows, [{ partition: 0 }]);
});

describe('facts of reports', () => {
  const query = async <T extends object>(text: string, values: readonly unknown[] = []) =>
    (await context.database.query<T>(text, values)).rows;
  const clusters = async () =>
    (await query<{ cluster: string }>('SELECT rtrim(cluster) AS cluster FROM ccx.report_facts ORDER BY 1')).map(
      ({ cluster }) => cluster,
    );

  /** A report with facts for each cluster, and facts alone for the others. */
  async function describeReports(kept: readonly string[], gone: readonly string[] = []): Promise<void> {
    await query(
      `INSERT INTO new_reports SELECT 1, 1, cluster, '', '2026-01-01', 0 FROM unnest($1::text[]) AS cluster`,
      [kept],
    );
    await query(
      `INSERT INTO ccx.report_facts (org_id, cluster, updated_at, request_id, last_checked)
       SELECT 1, cluster, '2026-01-01', '', '2026-01-01' FROM unnest($1::text[]) AS cluster`,
      [[...kept, ...gone]],
    );
  }

  test('go with exactly those reports that are gone, whoever deleted them, in as many pages as it takes', async () => {
    const names = (prefix: string) => Array.from({ length: factsPageRowsMax }, (_, at) => `${prefix}${at}`);
    await describeReports(['a', 'z', ...names('kept')], ['b', 'y', ...names('gone')]);
    // As the server does by itself, a minute later.
    await query('ANALYZE new_reports, ccx.report_facts');
    assert.equal(await follow({ retentionMs: 30 * dayMs }), factsPageRowsMax + 2);
    const left = await clusters();
    assert.equal(left.length, factsPageRowsMax + 2);
    assert.ok(left.every((cluster) => !cluster.startsWith('gone') && cluster !== 'b' && cluster !== 'y'));
  });

  test('are looked through a part at a time, and again from the beginning', async () => {
    const sweep = createFactsSweep(1);
    const names = Array.from({ length: factsPageRowsMax - 1 }, (_, at) => `kept${at}`);
    await describeReports(names, ['a', 'z']);
    assert.deepEqual(
      [await sweep(context.database), await clusters().then(({ length }) => length)],
      [1, names.length + 1],
    );
    assert.equal(await sweep(context.database), 1);
    await query('DELETE FROM new_reports');
    assert.equal(await sweep(context.database), 0, 'the end of the first lap');
    assert.equal(await sweep(context.database), names.length);
  });

  test('of one organization, cluster and time are not those of another', async () => {
    await describeReports(['a']);
    for (const [org, at] of [
      [-5, '2026-01-01'],
      [1, '2026-01-02'],
      [2, '2026-01-01'],
    ]) {
      await query(
        `INSERT INTO ccx.report_facts (org_id, cluster, updated_at, request_id, last_checked)
         VALUES ($1, 'a', $2::timestamp, '', '2026-01-01')`,
        [org, at],
      );
    }
    assert.equal(await createFactsSweep()(context.database), 3);
    assert.deepEqual(await query('SELECT org_id, updated_at FROM ccx.report_facts'), [
      { org_id: 1, updated_at: '2026-01-01 00:00:00' },
    ]);
  });

  test('leave with the last report that names it a catalogue behind, which then goes, but not a young one', async () => {
    await describeReports(['a']);
    await query(
      `INSERT INTO ccx.catalogues SELECT version, sha256('x'), '{r}', (now() AT TIME ZONE 'UTC') - age
         FROM (VALUES ('named', interval '2 days'), ('old', '2 hours'), ('young', '1 minute')) AS c (version, age)`,
    );
    await query(`UPDATE ccx.report_facts SET catalogue_version = 'named', catalogue_rules_sha256 = sha256('x')`);
    const versions = async () => {
      await createFactsSweep()(context.database);
      const rows = await query<{ version: string }>('SELECT version FROM ccx.catalogues ORDER BY 1');
      return rows.map(({ version }) => version);
    };
    assert.deepEqual(await versions(), ['named', 'young']);
    await query('DELETE FROM new_reports');
    assert.deepEqual(await versions(), ['young']);
  });

  test('leave with the last report that names it a list of skipped rules behind, which then goes, but not a young one', async () => {
    await describeReports(['a']);
    await query(
      `INSERT INTO ccx.skipped_rules SELECT sha256(name::bytea), '{}', (now() AT TIME ZONE 'UTC') - age
         FROM (VALUES ('named', interval '2 days'), ('old', '2 hours'), ('young', '1 minute')) AS l (name, age)`,
    );
    await query(`UPDATE ccx.report_facts SET skipped_sha256 = sha256('named')`);
    const lists = async () => {
      await createFactsSweep()(context.database);
      return await query(
        `SELECT name FROM unnest(ARRAY['named', 'old', 'young']) AS name JOIN ccx.skipped_rules ON sha256 = sha256(name::bytea) ORDER BY 1`,
      );
    };
    assert.deepEqual(await lists(), [{ name: 'named' }, { name: 'young' }]);
    await query('DELETE FROM new_reports');
    assert.deepEqual(await lists(), [{ name: 'young' }]);
  });

  test('are nobody’s business where the tables are not there', async () => {
    const bare = await createTestDatabase({ migrated: true });
    try {
      assert.equal(await createFactsSweep()(bare.database), 0);
    } finally {
      await bare.drop();
    }
  });
});
