/** Readiness is what was met; where nothing was met it is what is answered, in time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CcxError } from '../../encoding/ccx-error.ts';
import { createManualClock } from '../clock/manual-clock.ts';
import { Health, probeMsMax } from './health.ts';

const lost = new CcxError('gone', { code: 'DATABASE_LOST', category: 'connection', retryable: true });
const fine = async () => undefined;

test('a problem that was met is told until it is over, without asking', async () => {
  const health = new Health();
  const clock = createManualClock();
  health.report('database', lost);
  const never = async () => assert.fail('asked');
  assert.deepEqual(await health.probed({ database: never, bus: never }, clock), {
    ready: false,
    reasons: ['database: gone [DATABASE_LOST]'],
  });
  health.report('database', undefined);
  assert.deepEqual(await health.probed({ database: fine, bus: fine }, clock), { ready: true, reasons: [] });
});

test('where nothing was met, each need is asked and tells by itself', async () => {
  const failing = async () => {
    throw lost;
  };
  const broken = async () => {
    throw new TypeError('bug');
  };
  assert.deepEqual(await new Health().probed({ database: failing, bus: broken }, createManualClock()), {
    ready: false,
    reasons: ['bus: unexpected answer: bug [PROBE_FAILED]', 'database: gone [DATABASE_LOST]'],
  });
});

test('an answer in time is an answer, a later one is none', async () => {
  const clock = createManualClock();
  const answers = (ms: number) => () => clock.sleep(ms);
  const inTime = new Health().probed({ bus: answers(probeMsMax - 1) }, clock);
  await clock.advance(probeMsMax - 1);
  assert.equal((await inTime).ready, true);
  const late = new Health().probed({ bus: answers(probeMsMax + 1) }, clock);
  await clock.advance(probeMsMax + 1);
  assert.deepEqual((await late).reasons, [`bus: no answer within ${probeMsMax} ms [PROBE_LATE]`]);
});
