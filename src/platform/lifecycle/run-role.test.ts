/** A start that fails is reported once: to a person on standard error, or where the program says. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { CcxError } from '../../encoding/ccx-error.ts';
import { createManualClock } from '../clock/manual-clock.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';
import { runRole } from './run-role.ts';

const failure = new CcxError('no way in', { code: 'DATABASE_AUTH', category: 'configuration', hint: 'change it' });

async function fail(t: TestContext, reportFailure?: (error: unknown) => void) {
  const printed: string[] = [];
  const logged: string[] = [];
  t.mock.method(process.stderr, 'write', (text: string) => printed.push(text) > 0);
  const destination = { write: (line: string) => void logged.push(line) };
  const code = await runRole({
    telemetry: createTelemetry({ service: 'role', level: 'debug', destination }),
    clock: createManualClock(),
    start: async () => {
      throw failure;
    },
    exitCodeOf: () => 5,
    ...(reportFailure === undefined ? {} : { reportFailure }),
  });
  return { code, printed, logged };
}

test('to a person it is two lines on standard error, and nothing in the log', async (t) => {
  const { code, printed, logged } = await fail(t);
  assert.deepEqual([code, printed, logged], [5, ['ccx: no way in [DATABASE_AUTH]\n  change it\n'], []]);
});

test('a program that reports it itself does so alone', async (t) => {
  const reported: unknown[] = [];
  const { code, printed, logged } = await fail(t, (error) => reported.push(error));
  assert.deepEqual([code, printed, logged, reported], [5, [], [], [failure]]);
});
