/**
 * Preloaded into a process under test (`node --import`): kills it with SIGKILL at the n-th call of a chosen business event, which is right
 * behind the effect that the event names. `CCX_TEST_KILL_AT=report-stored:2` names event and count. The product holds no code for this.
 */
import { subscribe } from 'node:diagnostics_channel';
import { BUSINESS_EVENT_CHANNEL, type BusinessEvent } from '../../src/platform/telemetry/telemetry.ts';

const [wanted = '', countText = '1'] = (process.env['CCX_TEST_KILL_AT'] ?? '').split(':');
const state = { left: Number(countText) };

if (wanted !== '') {
  subscribe(BUSINESS_EVENT_CHANNEL, (message) => {
    if ((message as BusinessEvent).event !== wanted) return;
    state.left -= 1;
    if (state.left === 0) process.kill(process.pid, 'SIGKILL');
  });
}
