/** A writer that waits for its database: what readiness, log and metric say of it, on a clock that the test moves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CcxError } from '../../encoding/ccx-error.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { Health } from '../../platform/lifecycle/health.ts';
import { waitForTables, waitingReminderMs } from './wait-for-tables.ts';

const away = new CcxError('cannot reach it', { code: 'DATABASE_UNREACHABLE', category: 'connection', retryable: true });
const refused = new CcxError('wrong password', { code: 'DATABASE_AUTH', category: 'configuration' });
const forbidden = Object.assign(new Error('permission denied for schema ccx'), { code: '42501', severity: 'ERROR' });

/** Fails with `answer` as long as it is an error. */
function bench(answer: unknown) {
  const clock = createManualClock();
  const health = new Health();
  const seen: string[] = [];
  const state = { answer };
  const stop = waitForTables({
    ...{ clock, health },
    bringUp: async () => {
      if (state.answer instanceof Error) throw state.answer;
      return ['a warning'];
    },
    events: {
      databaseAwaited: (error, { logged }) => void seen.push(`${logged ? 'logged' : 'counted'} ${error.code}`),
      databaseFound: () => void seen.push('found'),
      warned: (text) => void seen.push(text),
    },
    onReady: () => void seen.push('ready'),
  });
  /** In small steps, so that no retry is skipped. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 1_000) await clock.advance(1_000);
  };
  const logged = () => seen.filter((line) => line.startsWith('logged'));
  return { clock, health, seen, state, stop, pass, logged };
}

test('readiness has the reason at once; the log has it at once, each minute and when it changes', async () => {
  const { health, state, stop, pass, logged, seen } = bench(away);
  await Promise.resolve();
  await pass(1_000);
  assert.deepEqual(health.readiness().reasons, ['database: cannot reach it [DATABASE_UNREACHABLE]']);
  assert.deepEqual(logged(), ['logged DATABASE_UNREACHABLE']);
  await pass(waitingReminderMs - 11_000);
  assert.equal(logged().length, 1);
  assert.ok(seen.length > 3, 'every attempt counts, only some are logged');
  await pass(22_000);
  assert.equal(logged().length, 2, 'a minute later');
  state.answer = refused;
  await pass(11_000);
  assert.deepEqual(logged().at(-1), 'logged DATABASE_AUTH');
  assert.deepEqual(health.readiness().reasons, ['database: wrong password [DATABASE_AUTH]']);
  state.answer = forbidden;
  await pass(11_000);
  assert.deepEqual(logged().at(-1), 'logged WRITER_TABLES');
  assert.match(health.readiness().reasons[0]!, /permission denied for schema ccx/);
  await stop();
});

test('it begins when the database can be used, once', async () => {
  const { health, seen, state, stop, pass } = bench(away);
  await pass(5_000);
  state.answer = undefined;
  await pass(60_000);
  assert.deepEqual(seen.slice(-3), ['found', 'a warning', 'ready']);
  assert.equal(health.readiness().ready, true);
  await stop();
});

test('a stop ends the wait and nothing begins', async () => {
  const { seen, state, stop, pass } = bench(away);
  await pass(2_000);
  await stop();
  state.answer = undefined;
  await pass(60_000);
  assert.ok(!seen.includes('ready'));
});
