/** Waiting for what comes about by itself. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** Only a failing test waits so long. */
const waitMsMax = 300_000;

/** Asks until it holds; fails, with the text of the question, when it never does. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + waitMsMax;
  while (!(await condition())) {
    assert.ok(performance.now() < deadlineMs, `it never came: ${condition}`);
    await sleep(5);
  }
}
