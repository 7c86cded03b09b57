/**
 * Service Log and its token service refuse, limit, lose answers and are away: each entry is there once in the end or is listed with its
 * reason, whoever was refused stops nobody else, and every invariant holds, no secret in any output among them (consumers.md 5.1, 5.2: F15
 * to F20, F22). `ccx notifier --once` as a process, as cron starts it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Fault } from '../../src/all-in-one/stand-ins/fault-plan.ts';
import { type NotifierUnderFault, withNotifier } from './notifier-under-fault.ts';

const clusterOf = (number: number) => `fa11ed00-0000-4000-8000-${String(number).padStart(12, '0')}`;
const told = (...numbers: readonly number[]) =>
  numbers.map((number) => ({ cluster: clusterOf(number), findings: ['CRITICAL'], targets: [2] }));
/** More than must be refused until the target is at fault. */
const many = Array.from({ length: 14 }, (_, number) => number);
const calls = { SERVICE_LOG__TIMEOUT: '3s', DELIVERY__CONCURRENCY: '2' };

const withClusters = (numbers: readonly number[], check: (notifier: NotifierUnderFault) => Promise<void>) =>
  withNotifier({}, async (notifier) => {
    for (const number of numbers) await notifier.store(clusterOf(number), 'CRITICAL');
    await check(notifier);
  });

async function runsWith(notifier: NotifierUnderFault, expected: number): Promise<string> {
  const { code, output } = await notifier.run({ env: calls });
  assert.equal(code, expected, output);
  return output;
}

describe('Service Log', { concurrency: 3 }, () => {
  test('F15: refuses one entry of three: that one is dead with the reason, the others are there, and it is not posted in every run', () =>
    withClusters([0, 1, 2], async (notifier) => {
      notifier.serviceLog.inject('post', {
        kind: 'status',
        status: 400,
        body: '{"kind":"Error","reason":"no such field"}',
      });
      await runsWith(notifier, 0);
      const dead = (await notifier.outbox()).find(({ state }) => state === 'dead')!;
      const others = [0, 1, 2].filter((number) => clusterOf(number) !== dead.cluster);
      assert.deepEqual(await notifier.complaints({ told: told(...others), endings: { dead: 1 } }), []);
      const { rows } = await notifier.database.query<{ sent: number }>(
        `SELECT count(*) FILTER (WHERE state = 1)::int AS sent FROM reported WHERE cluster = $1`,
        [dead.cluster],
      );
      assert.equal(rows[0]!.sent, 0, 'no cooldown by a row that others go by');
      await runsWith(notifier, 0);
      assert.equal(notifier.posts(), 3);
    }));

  test('F16: answers 401 once: a new token, and the entry is there', () =>
    withClusters([0], async (notifier) => {
      notifier.serviceLog.inject('post', { kind: 'status', status: 401 });
      await runsWith(notifier, 0);
      assert.equal(notifier.posts(), 2);
      assert.equal(notifier.tokens.requests().length, 2);
      assert.deepEqual(await notifier.complaints({ told: told(0) }), []);
    }));

  test('F16: answers 401 for ever: two calls for an entry until the target is paused with the reason, and all are told behind that', () =>
    withClusters(many, async (notifier) => {
      notifier.serviceLog.inject('post', { kind: 'status', status: 401 }, 1_000);
      const output = await runsWith(notifier, 13);
      assert.match(output, /SERVICE_LOG_UNAUTHORIZED/);
      assert.ok(notifier.posts() <= 2 * 12, `${notifier.posts()} calls`);
      assert.deepEqual(await notifier.complaints({ told: [], endings: { pending: many.length } }), []);
      notifier.serviceLog.mend();
      await notifier.endWaits();
      await runsWith(notifier, 0);
      assert.deepEqual(await notifier.complaints({ told: told(...many) }), []);
    }));

  test('F17: answers 429 with Retry-After: nobody calls before that, in no process', () =>
    withClusters(many, async (notifier) => {
      notifier.serviceLog.inject('post', { kind: 'status', status: 429, retryAfter: '60' }, 1_000);
      assert.match(await runsWith(notifier, 13), /SERVICE_LOG_LIMITED/);
      const before = notifier.posts();
      assert.ok(before <= 12, `${before} calls`);
      await runsWith(notifier, 13);
      assert.equal(notifier.posts(), before);
      const { rows } = await notifier.database.query<{ seconds: number }>(
        `SELECT extract(epoch FROM paused_until - clock_timestamp() AT TIME ZONE 'UTC')::float AS seconds FROM ccx.notification_targets WHERE event_type_id = 2`,
      );
      assert.ok(rows[0]!.seconds > 0 && rows[0]!.seconds <= 60, `${rows[0]!.seconds} s`);
      notifier.serviceLog.mend();
      await notifier.endWaits();
      await runsWith(notifier, 0);
      assert.deepEqual(await notifier.complaints({ told: told(...many) }), []);
    }));

  const lostAnswers: readonly Fault[] = [
    { kind: 'commit-then-status', status: 500 },
    { kind: 'commit-then-reset' },
    { kind: 'commit-then-hang' },
  ];
  test('F18: commits and answers 500, breaks the connection, or never answers: each entry is looked up, and is there once', () =>
    withClusters([0, 1, 2], async (notifier) => {
      for (const fault of lostAnswers) notifier.serviceLog.inject('post', fault);
      await runsWith(notifier, 0);
      assert.equal(notifier.posts(), 3);
      assert.deepEqual(await notifier.complaints({ told: told(0, 1, 2) }), []);
    }));

  test('F19, F22: and the look-up is down too: nothing is posted blindly, found when it is back, and past 20 hours listed for a person', () =>
    withClusters([0, 1], async (notifier) => {
      notifier.serviceLog.inject('post', { kind: 'commit-then-reset' }, 2);
      notifier.serviceLog.inject('look-up', { kind: 'status', status: 500 }, 1_000);
      await runsWith(notifier, 13);

      assert.equal(notifier.posts(), 2);
      const states = (await notifier.outbox()).map(({ state }) => state);
      assert.equal(states.length, 2);
      // What has arrived is told, whatever is known of it.
      await notifier.database.query(
        `UPDATE ccx.notification_outbox SET first_attempt_at = first_attempt_at - interval '21 hours' WHERE cluster = $1`,
        [clusterOf(0)],
      );
      await notifier.endWaits();
      notifier.serviceLog.mend();
      await runsWith(notifier, 0);
      assert.equal(notifier.posts(), 2);
      const [listed] = (await notifier.outbox()).filter(({ cluster }) => cluster === clusterOf(0));
      assert.deepEqual([listed!.state, listed!.waits], ['unknown', false]);
      assert.deepEqual(await notifier.complaints({ told: told(0, 1), endings: { unknown: 1 } }), []);
    }));
});

describe('the token service', { concurrency: 3 }, () => {
  test('F20: answers 503 for a while: it is asked again, and the entry is there', () =>
    withClusters([0], async (notifier) => {
      notifier.tokens.inject({ kind: 'status', status: 503 }, 2);
      await runsWith(notifier, 0);
      assert.equal(notifier.tokens.requests().length, 3);
      assert.deepEqual(await notifier.complaints({ told: told(0) }), []);
    }));

  const refusals: readonly (readonly [string, Fault, RegExp])[] = [
    ['refuses the client', { kind: 'status', status: 400, body: '{"error":"invalid_client"}' }, /TOKEN_REFUSED/],
    ['answers with a page', { kind: 'html', status: 200 }, /TOKEN_\w+/],
  ];
  for (const [what, fault, code] of refusals) {
    test(`F20: ${what}: a run says so and ends with its own code, nothing is posted, and no secret is told`, () =>
      withClusters([0, 1], async (notifier) => {
        notifier.tokens.inject(fault, 1_000);
        assert.match(await runsWith(notifier, 11), code);
        assert.equal(notifier.posts(), 0);
        assert.ok(notifier.tokens.requests().length <= 4, `${notifier.tokens.requests().length} requests`);
        assert.deepEqual(await notifier.complaints({ told: [] }), []);
      }));
  }
});
