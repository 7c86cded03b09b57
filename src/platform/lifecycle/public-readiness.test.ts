/** What anybody may read at /ready: the part and the code, in time; the rest is in the log, once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../clock/manual-clock.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { publicReadiness, publicReason, readinessMsMax } from './health.ts';
import type { Readiness } from './lifecycle.ts';

const reasons: Readonly<Record<string, string>> = {
  'database: no answer within 2000 ms [PROBE_LATE]': 'database: no answer within 2000 ms [PROBE_LATE]',
  'database: connect ECONNREFUSED 127.0.0.1:5432 [DATABASE_UNREACHABLE]':
    'database: connect ECONNREFUSED 127.0.0.1:5432 [DATABASE_UNREACHABLE]',
  "object store: the object store cannot use /srv/my data/o: EACCES: permission denied, access '/srv/my data/o' [OBJECTS_UNAVAILABLE]":
    'object store: see the log [OBJECTS_UNAVAILABLE]',
  'database: connect ENOENT /tmp/.s.PGSQL.5432 [DATABASE_UNREACHABLE]': 'database: see the log [DATABASE_UNREACHABLE]',
  'bus: C:\\data is full [X]': 'bus: see the log [X]',
  'the rules below /opt/rules are gone': 'see the log',
  'the last run failed: cannot read /etc/ccx/ca.pem': 'the last run failed: see the log',
};
for (const [reason, shown] of Object.entries(reasons))
  test(`${reason} → ${shown}`, () => assert.equal(publicReason(reason), shown));

test('the whole text is logged once for each change, and an answer that does not come is one', async () => {
  const lines: unknown[] = [];
  const log = {
    warn: (fields: unknown, text: string) => lines.push([text, fields]),
    info: (text: string) => lines.push([text]),
  } as unknown as Telemetry['log'];
  const clock = createManualClock();
  const state: { now: () => Promise<Readiness> } = { now: async () => ({ ready: true, reasons: [] }) };
  const ask = publicReadiness({ readiness: () => state.now(), log, clock });
  assert.deepEqual(await ask(), { ready: true, reasons: [] });
  state.now = async () => ({ ready: false, reasons: ['disk: /data is full [FULL]'], notes: ['kept in /data/x'] });
  for (let i = 0; i < 2; i += 1)
    assert.deepEqual(await ask(), { ready: false, reasons: ['disk: see the log [FULL]'], notes: ['see the log'] });
  state.now = async () => ({ ready: true, reasons: [] });
  await ask();
  assert.deepEqual(lines, [['not ready', { reasons: ['disk: /data is full [FULL]'] }], ['ready again']]);
  state.now = () => new Promise(() => undefined);
  const late = ask();
  await clock.advance(readinessMsMax);
  assert.deepEqual(await late, { ready: false, reasons: [`no answer within ${readinessMsMax} ms`] });
  state.now = () => Promise.reject(new Error('/a bug'));
  assert.deepEqual((await ask()).reasons, ['readiness: unexpected answer: Error: see the log [UNKNOWN]']);
});
