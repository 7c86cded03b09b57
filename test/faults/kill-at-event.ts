/**
 * Preloaded into a process under test (`node --import`): kills it with SIGKILL, or stops it with SIGSTOP, at the n-th call of a chosen
 * business event, which is right behind the effect that the event names. The product holds no code for this.
 *
 *   CCX_TEST_KILL_AT=report-stored:2            the second such event of any service
 *   CCX_TEST_KILL_AT=writer/offsets-committed:1 the first of one service (its name in the telemetry)
 *   CCX_TEST_KILL_TOO=…/postmaster.pid          kills that PostgreSQL first, as a loss of power would
 *   CCX_TEST_KILL_BY=SIGSTOP                    stops it instead; whoever sends SIGCONT lets it go on
 */
import { subscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import { BUSINESS_EVENT_CHANNEL, type BusinessEvent } from '../../src/platform/telemetry/telemetry.ts';

const [, service, wanted = '', countText = '1'] =
  /^(?:([^/]+)\/)?([^:]+)(?::(\d+))?$/.exec(process.env['CCX_TEST_KILL_AT'] ?? '') ?? [];
const serverFile = process.env['CCX_TEST_KILL_TOO'] ?? '';
const signal = process.env['CCX_TEST_KILL_BY'] ?? 'SIGKILL';
const state = { left: Number(countText) };

if (wanted !== '') {
  subscribe(BUSINESS_EVENT_CHANNEL, (message) => {
    const event = message as BusinessEvent;
    if (event.event !== wanted || (service !== undefined && event.service !== service)) return;
    state.left -= 1;
    if (state.left !== 0) return;
    if (serverFile !== '') process.kill(Number(readFileSync(serverFile, 'utf8').split('\n')[0]), 'SIGKILL');
    process.kill(process.pid, signal);
  });
}
