/** What a run does beside its pipeline may cost a bounded share of the time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import type { Database } from '../../platform/database/database.ts';
import { gaugeOutbox } from './run-once.ts';

test('what waits is counted again when fifty times as long has passed as the last count took', async () => {
  const clock = createManualClock();
  let counted = 0;
  const query = async () => {
    counted += 1;
    await clock.advance(100);
    return { rows: [], rowCount: 0 };
  };
  const database = { query } as unknown as Database;
  const state = {
    ...{ clock, targets: [], store: { database, clock, nowMicros: () => 0n } },
    gauging: { notBeforeMs: Number.NEGATIVE_INFINITY, waiting: [] },
    events: { outboxGauged: () => undefined },
  };
  await gaugeOutbox(state);
  await clock.advance(4_999);
  await gaugeOutbox(state);
  assert.equal(counted, 1);
  await clock.advance(1);
  await gaugeOutbox(state);
  assert.equal(counted, 2);
});
