/** The row of a role: written at once and every ten seconds, within its limit; and what is in its way costs the role one line of the log. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, type TestContext, test } from 'node:test';
import { createTestDatabase, createTestRole, emptyTables, type TestDatabase } from '../../../test/support/postgres.ts';
import { until } from '../../../test/support/until.ts';
import { createManualClock, type ManualClock } from '../clock/manual-clock.ts';
import { connectDatabase } from '../database/connect-database.ts';
import type { Database } from '../database/database.ts';
import { createLog } from '../telemetry/log.ts';
import { keepRoleRecord, pruneRoles, readRoles } from './role-record.ts';

const everyMs = 10_000;

let context: TestDatabase;
before(async () => {
  context = await createTestDatabase({ migrated: true, sets: ['records'] });
});
after(() => context.drop());
beforeEach(() => emptyTables(context.database, 'ccx.roles'));

interface Kept {
  readonly clock: ManualClock;
  /** Texts of the log's warnings and information. */
  readonly logged: string[];
  /** What the role says of itself. */
  state: Record<string, unknown>;
  stop(): Promise<void>;
}

function keep(t: TestContext, database: Database, state: Record<string, unknown> = { lag: [] }): Kept {
  const clock = createManualClock();
  const logged: string[] = [];
  const destination = { write: (line: string) => void logged.push((JSON.parse(line) as { msg: string }).msg) };
  const kept: Kept = { clock, logged, state, stop: async () => stop() };
  const stop = keepRoleRecord({
    ...{ database, clock, role: 'writer', version: '1.2.3', warnings: ['an unknown key'] },
    log: createLog({ service: 'writer', level: 'info', destination }),
    settings: [{ key: 'database.url', value: '(set)', origin: 'environment' }],
    service: {
      readiness: async () => ({ ready: false, reasons: ['the bus is away'] }),
      state: async () => kept.state,
    },
  });
  t.after(() => stop());
  return kept;
}

const rows = () => readRoles(context.database);
const aged = (interval: string) =>
  context.database.query('UPDATE ccx.roles SET last_seen_at = last_seen_at - $1::interval', [interval]);

test('a row says who runs where since when, how it is and with which settings', async (t) => {
  keep(t, context.database);
  await until(async () => (await rows()).length === 1);
  const [row] = await rows();
  assert.deepEqual([row?.role, row?.version, row?.pid], ['writer', '1.2.3', process.pid]);
  assert.deepEqual(row?.state, {
    ...{ lag: [], ready: false, reasons: ['the bus is away'], warnings: ['an unknown key'] },
    settings: [{ key: 'database.url', value: '(set)', origin: 'environment' }],
  });
  assert.match(row?.startedAt ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
});

test('it is seen again every ten seconds, what changed is written, and a stop is said', async (t) => {
  const kept = keep(t, context.database);
  await until(async () => (await rows()).length === 1);
  await aged('1 hour');
  await kept.clock.advance(everyMs);
  await until(async () => (await rows())[0]!.unseenSeconds < 600);
  kept.state = { lag: [{ partition: 0, records: 7n }] };
  await kept.clock.advance(everyMs);
  await until(async () => JSON.stringify((await rows())[0]!.state['lag']) === '[{"records":"7","partition":0}]');
  const [{ startedAt } = assert.fail()] = await rows();
  await context.database.query('DELETE FROM ccx.roles');
  await kept.clock.advance(everyMs);
  await until(async () => (await rows()).length === 1);
  assert.ok(Math.abs(Date.parse((await rows())[0]!.startedAt) - Date.parse(startedAt)) < 60_000);
  await kept.stop();
  assert.equal((await rows())[0]!.state['stopped'], true);
  assert.deepEqual(kept.logged, []);
});

test('a state that is too large loses its largest parts and says so, and one that jsonb refuses is mended', async (t) => {
  keep(t, context.database, { lag: ['x'.repeat(40_000)], quarantine: ['y'.repeat(50_000)], odd: 'a\0b\ud800' });
  await until(async () => (await rows()).length === 1);
  const { state } = (await rows())[0]!;
  assert.deepEqual(state['quarantine'], { leftOut: '50004 bytes' });
  assert.equal((state['lag'] as string[])[0]!.length, 40_000);
  assert.equal(state['odd'], 'a\ufffdb\ufffd');
});

test('a missing right is warned of once, and the row is there as soon as the right is', async (t) => {
  const role = await createTestRole(context, () => []);
  const database = connectDatabase({ url: role.url, applicationName: 'test' });
  t.after(async () => {
    await database.close();
    await role.remove();
  });
  const kept = keep(t, database);
  await until(() => kept.logged.length === 1);
  assert.match(kept.logged[0]!, /does not show this process/);
  for (let tries = 0; tries < 3; tries += 1) await kept.clock.advance(everyMs);
  for (const grant of ['USAGE ON SCHEMA ccx', 'SELECT ON ccx.migration', 'SELECT, INSERT, UPDATE, DELETE ON ccx.roles'])
    await context.database.query(`GRANT ${grant} TO ${role.user}`);
  await until(async () => {
    await kept.clock.advance(everyMs);
    return (await rows()).length === 1;
  });
  await until(() => kept.logged.length === 2);
  assert.match(kept.logged[1]!, /shows this process again/);
});

test('a database that never answers holds up neither the role nor its stop', async (t) => {
  const never = new Promise<never>(() => undefined);
  const ask = () => never;
  const silent = { query: ask, transaction: ask, withConnection: ask, listen: ask, check: ask, close: async () => {} };
  const kept = keep(t, silent);
  await kept.clock.advance(everyMs * 3);
  const stopped = kept.stop();
  await kept.clock.advance(1_000);
  await stopped;
});

test('rows of 7 days go, and younger ones of processes that are gone stay', async (t) => {
  const kept = keep(t, context.database);
  await until(async () => (await rows()).length === 1);
  await kept.stop();
  await aged('6 days 23 hours');
  assert.equal(await pruneRoles(context.database), 0);
  await aged('2 hours');
  assert.equal(await pruneRoles(context.database), 1);
});
