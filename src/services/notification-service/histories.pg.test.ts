/**
 * Whatever happens: nobody is notified twice within a cooldown, nothing is lost, and the reason of each silence is true. Histories by
 * chance, the same at each run; `CCX_TEST_SEED` gives others, or one that failed, `CCX_TEST_HISTORIES` says how many. `npm run soak` plays many.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playHistory } from '../../../test/faults/notification-history.ts';
import { withTimeline } from '../../../test/support/notification-timeline.ts';
import { readProcessInput } from '../../platform/config/process-input.ts';

const { env } = readProcessInput();
const seed = env['CCX_TEST_SEED'] ?? 'b7a470f0';
const count = Number(env['CCX_TEST_HISTORIES'] ?? 1);
const roundsEach = 25;

for (let index = 1; index <= count; index += 1) {
  // The first one is the seed itself, so that what failed is played alone.
  const own = index === 1 ? seed : `${seed}-${index}`;
  test(`nothing is notified twice, nothing is lost, and each silence has a true reason (CCX_TEST_SEED=${own})`, () =>
    withTimeline({ targets: ['notification-backend', 'service-log'] }, async (line) => {
      const { told } = await playHistory(line, own, roundsEach);
      assert.ok(told > 0);
    }));
}
