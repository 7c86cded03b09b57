/** What goes and what stays, in both ways of going through a table, whatever lies between two slices. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import type { Connection } from './database.ts';
import { deleteOldRows, type OldRows, sliceRowsMax } from './delete-old-rows.ts';

const rows = 2 * sliceRowsMax;
let context: TestDatabase;

before(async () => {
  context = await createTestDatabase();
  await context.database.query(`
    CREATE TABLE letters (id integer PRIMARY KEY, at timestamp NOT NULL, kept boolean NOT NULL);
    CREATE INDEX letters_at ON letters (at);
    CREATE TABLE stamps (at timestamp NOT NULL, id integer NOT NULL, PRIMARY KEY (id, at))`);
});
after(() => context.drop());
/** One a minute, from 2020 on; every third is to be kept. */
beforeEach(async () => {
  await context.database.query('TRUNCATE letters, stamps');
  await context.database.query(
    `INSERT INTO letters SELECT n, '2020-01-01'::timestamp + n * interval '1 minute', n % 3 = 0 FROM generate_series(0, $1::int - 1) AS n`,
    [rows],
  );
});

const minute = (n: number) => new Date(Date.UTC(2020, 0, 1, 0, n)).toISOString().replace('T', ' ').slice(0, 19);
const letters = { table: 'letters', age: 'at' } as const;
const left = async (where = 'true') => {
  const { rows: found } = await context.database.query<{ left: number }>(
    `SELECT count(*)::int AS left FROM letters WHERE ${where}`,
  );
  return found[0]!.left;
};

for (const through of ['index', 'blocks'] as const) {
  describe(`through ${through}`, () => {
    const old: OldRows = { ...letters, through, before: minute(rows - 100) };

    test('what is older than the moment goes, in more than one slice, and nothing else', async () => {
      const told: number[] = [];
      assert.equal(await deleteOldRows(context.database, old, { onProgress: (count) => told.push(count) }), rows - 100);
      assert.equal(await left(), 100);
      assert.equal(await left(`at < '${minute(rows - 100)}'`), 0);
      assert.ok(told.length > 2, `${told}`);
      assert.deepEqual(
        told,
        [...told].sort((a, b) => a - b),
      );
      assert.equal(told.at(-1), rows - 100);
      assert.equal(await deleteOldRows(context.database, old), 0);
    });

    test('what is counted stays, and is as many as go', async () => {
      const some = { ...old, where: 'NOT t.kept AND t.id > $1::int', values: [10] };
      const count = await deleteOldRows(context.database, some, { countOnly: true });
      assert.equal(await left(), rows);
      assert.equal(await deleteOldRows(context.database, some), count);
      assert.equal(await left('id <= 10'), 11);
      assert.equal(await left(`at < '${minute(rows - 100)}' AND NOT kept AND id > 10`), 0);
      assert.equal(await left(), rows - count);
    });

    test('what is stopped between two slices keeps what it did, and the next call goes on', async () => {
      const stop = new AbortController();
      const first = await deleteOldRows(context.database, old, { signal: stop.signal, onProgress: () => stop.abort() });
      assert.ok(first > 0 && first < rows - 100, `${first}`);
      assert.equal(await left(), rows - first);
      assert.equal(await deleteOldRows(context.database, old), rows - 100 - first);
      assert.equal(await left(), 100);
    });

    test('rows of another table with the same key go with it, whatever else is in there', async () => {
      await context.database.query(`INSERT INTO stamps SELECT at, id FROM letters`);
      await context.database.query(`INSERT INTO stamps SELECT at + interval '1 second', id FROM letters WHERE id < 5`);
      const companions = [{ table: 'stamps', key: ['id', 'at'] }];
      await deleteOldRows(context.database, { ...old, where: 'NOT t.kept', companions });
      const { rows: found } = await context.database.query<{ same: number; all: number }>(
        `SELECT count(l.id)::int AS same, count(*)::int AS all FROM stamps AS s LEFT JOIN letters AS l USING (id, at)`,
      );
      assert.deepEqual(found, [{ same: await left(), all: (await left()) + 5 }]);
    });

    test('an empty table is done at once', async () => {
      await context.database.query('TRUNCATE letters');
      assert.equal(await deleteOldRows(context.database, old), 0);
    });
  });
}

test('more rows of one moment than a slice has, of which some stay, are all looked at', async () => {
  await context.database.query(`UPDATE letters SET at = '2020-01-01'`);
  const old = { ...letters, through: 'index', before: minute(1), where: 'NOT t.kept' } as const;
  const count = await deleteOldRows(context.database, old, { countOnly: true });
  assert.equal(count, await left('NOT kept'));
  assert.equal(await deleteOldRows(context.database, old), count);
  assert.equal(await left('NOT kept'), 0);
  assert.equal(await left(), rows - count);
});

test('of a bounded number the oldest go first', async () => {
  assert.equal(await deleteOldRows(context.database, { ...letters, through: 'index', rowsMax: 7_000 }), 7_000);
  assert.equal(await left(), rows - 7_000);
  assert.equal(await left(`at < '${minute(7_000)}'`), 0);
});

test('a slice that met a conflict is done again, one that cannot be done ends it', async () => {
  const failing = (code: string) => {
    let transactions = 0;
    return {
      ...context.database,
      transaction: async <T>(work: (tx: Connection) => Promise<T>): Promise<T> => {
        transactions += 1;
        if (transactions === 2) throw Object.assign(new Error('test'), { code, severity: 'ERROR' });
        return context.database.transaction(work);
      },
    };
  };
  const old = { ...letters, through: 'index', before: minute(1_000) } as const;
  await assert.rejects(deleteOldRows(failing('42P01'), old), /test/);
  const rest = await left(`at < '${minute(1_000)}'`);
  assert.ok(rest > 0 && rest < 1_000, `${rest}`);
  assert.equal(await deleteOldRows(failing('40P01'), old), rest);
  assert.equal(await left(), rows - 1_000);
});

test('the settings that a slice plans with end with it', async () => {
  const { database } = context;
  await deleteOldRows(database, { ...letters, through: 'index', before: minute(10) });
  const { rows: found } = await database.query<{ setting: string }>(
    `SELECT DISTINCT setting FROM pg_settings WHERE name IN ('enable_seqscan', 'enable_sort', 'enable_bitmapscan')`,
  );
  assert.deepEqual(found, [{ setting: 'on' }]);
});
