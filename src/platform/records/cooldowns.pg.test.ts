/** Cooldowns as the processes tell them to each other, and which old rows of `reported` they keep. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createTestDatabase, emptyTables, type TestDatabase } from '../../../test/support/postgres.ts';
import { migrateCcx } from '../database/ccx-migrations.ts';
import { longestCooldown, storeCooldowns } from './cooldowns.ts';
import { oldRowsOf } from './old-rows.ts';

let context: TestDatabase;
before(async () => {
  context = await createTestDatabase({ migrated: true });
  await migrateCcx(context.database, 'records');
});
after(() => context.drop());
beforeEach(() => emptyTables(context.database, 'ccx.cooldowns', 'reported'));

const store = (...cooldowns: (string | undefined)[]) =>
  storeCooldowns(
    context.database,
    cooldowns.map((cooldown, index) => ({ eventTargetId: index + 1, cooldown })),
  );

test('the longest of the stored ones and of one’s own counts, and what is none does not', async () => {
  const longest = (...own: string[]) => longestCooldown(context.database, own);
  assert.equal(await longest(), undefined);
  assert.equal(await longest('', '0', '0 days', 'soon', '-1 day', ' '), undefined);
  assert.equal(await longest('1 day', 'soon', '36 hours', '0'), '36 hours');
  await store('1 week', '1 month');
  assert.equal(await longest('1 day'), '1 mon');
  assert.equal(await longest('1 year'), '1 year');
  await store('1 week', undefined);
  assert.equal(await longest('1 day'), '7 days', 'a target that has none any more');
  await store(undefined, '1 day');
  assert.equal(await longest(), '1 day');
});

test('only rows that say sent are kept, by when they were sent, and by nothing where no cooldown is known', async () => {
  const add = (state: number, reportDays: number, sentDays: number) =>
    context.database.query(
      `INSERT INTO reported SELECT 1, 1, 'c', 1, $1::int, '', now() - $2 * interval '1 day', now() - $3 * interval '1 day' - $1 * interval '1 second', '', 1`,
      [state, reportDays, sentDays],
    );
  for (const state of [1, 2, 4]) {
    await add(state, 3, 3);
    await add(state, 9, 9);
    await add(state, 100, 5);
  }
  const old = async (maxAge: string, ...own: string[]) => {
    const { where, values, warning } = await oldRowsOf(context.database, {
      ...{ table: 'reported', maxAge, ownCooldowns: own },
    });
    const { rows } = await context.database.query<{ state: number; age: number }>(
      `SELECT state, extract(day FROM now() - notified_at)::int AS age FROM reported WHERE ${where} ORDER BY 1, 2`,
      values,
    );
    return { rows: rows.map(({ state, age }) => `${state}:${age}`), warning };
  };
  const others = ['2:3', '2:5', '2:9', '4:3', '4:5', '4:9'];
  assert.deepEqual(await old('1 day'), { rows: ['1:3', '1:5', '1:9', ...others], warning: undefined });
  const kept = await old('1 day', '1 week');
  assert.deepEqual(kept.rows, ['1:9', ...others]);
  assert.match(kept.warning!, /age of 1 day is shorter than the cooldown of 1 week/);
  const long = await old('90 days', '1 week');
  assert.deepEqual(long, { rows: ['2:5', '4:5'], warning: undefined }, 'also of a report that is older than the age');
});

test('an age that is no interval is refused by its name, with the settings to change', async () => {
  for (const maxAge of ['a while', '', '99999999999999999999 days']) {
    for (const table of ['reported', 'new_reports'] as const) {
      await assert.rejects(oldRowsOf(context.database, { table, maxAge }), {
        ...{ code: 'MAX_AGE_INVALID', hint: /--max-age.*cleaner\.max_age/ },
      });
    }
  }
});
