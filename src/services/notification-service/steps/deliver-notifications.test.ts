/** When a cycle asks for messages at all: claiming is a transaction, and mostly everything went out right behind its decision. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../../../platform/clock/manual-clock.ts';
import { createTargetHealth, type Run, type RunStore, type RunTarget } from '../run.ts';
import { deliverNotifications } from './deliver-notifications.ts';

async function claimsOf(mode: 'follow' | 'once', isInLine: boolean): Promise<number> {
  const clock = createManualClock();
  const health = createTargetHealth();
  let claims = 0;
  const runTarget = { target: { eventTargetId: 1 }, health, policy: { clusterCap: 0 } } as unknown as RunTarget;
  const run = {
    ...{ clock, signal: new AbortController().signal, waitsInLine: new Map() },
    settings: { mode, delivery: { runDeadlineMs: 1_000, claimMax: 10, leaseMs: 1_000 } },
    inLine: new Set(isInLine ? [runTarget] : []),
  } as unknown as Run;
  const store = {
    readPause: async () => undefined,
    nextAttemptMicros: async () => undefined,
    claimMessages: async () => {
      claims += 1;
      return [];
    },
  } as unknown as RunStore;
  const lookAgain = () => Promise.reject(new Error('nothing was claimed'));
  for await (const batch of deliverNotifications(run, store, runTarget, lookAgain)) assert.fail(JSON.stringify(batch));
  return claims;
}

test('following, only where something may be in line; a one-shot run always asks', async () => {
  assert.equal(await claimsOf('follow', false), 0);
  assert.equal(await claimsOf('follow', true), 1);
  assert.equal(await claimsOf('once', false), 1);
});
