/** The log of the drop-in programs on a pipe that nobody reads: it waits within its bound, says what was lost, and lets its process end. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { assertKindMay } from '../../../test/support/test-kinds.ts';
import { until } from '../../../test/support/until.ts';

assertKindMay('start programs');

const module = new URL('./reference-log.ts', import.meta.url).href;
/** Some 20 MB of lines, then nothing until SIGTERM. */
const script = `
  const { openReferenceLog } = await import(${JSON.stringify(module)});
  const config = { 'logging.debug': false, 'logging.use_stderr': false, 'logging.log_level': 'info' };
  const log = openReferenceLog('program', config, {});
  for (let count = 0; count < 20_000; count += 1) log.info({ count, text: 'x'.repeat(1_000) }, 'line');
  const held = setInterval(() => undefined, 1_000);
  process.once('SIGTERM', () => clearInterval(held));
  process.stderr.write('ready');
`;

async function startProgram(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await once(child.stderr!, 'data');
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(30_000) });
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
}

test('a process ends although nobody reads its log', async () => {
  await end(await startProgram());
});

test('who reads again gets what waited, and how many lines are lost', async () => {
  const child = await startProgram();
  let out = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  await until(() => /"lines":\d+,.*"message":"nobody read this log/.test(out));
  const lines = out.trim().split('\n');
  const lost = Number(/"lines":(\d+)/.exec(lines.at(-1)!)![1]);
  // All but that line itself.
  assert.equal(lines.length - 1 + lost, 20_000);
  assert.ok(out.length < 8 * 1024 ** 2);
  await end(child);
});
