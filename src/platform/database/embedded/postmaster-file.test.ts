/** Reading `postmaster.pid` and judging the process it names. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { isAlive, parsePostmasterFile, servesFolder } from './postmaster-file.ts';

const complete = '4711\n/var/lib/data\n1795284720\n5433\n\n127.0.0.1\n  12345    0\nready   \n';

test('a complete file gives pid, folder, start, port and status', () => {
  assert.deepEqual(parsePostmasterFile(complete), {
    pid: 4711,
    dataFolder: '/var/lib/data',
    startedAt: 1_795_284_720,
    port: 5433,
    status: 'ready',
  });
});

test('a file that is still being written counts as none, one without a status as not ready', () => {
  for (const text of ['', '4711\n', '4711\n/var/lib/data\n', 'x\n/a\n1\n2\n', '0\n/a\n1\n2\n', '-1\n/a\n1\n2\n']) {
    assert.equal(parsePostmasterFile(text), undefined, JSON.stringify(text));
  }
  assert.equal(parsePostmasterFile('4711\n/a\n1\n5433\n')?.status, '');
});

test('a process is alive until it ends, and is no server of a folder because it exists', async () => {
  assert.equal(isAlive(process.pid), true);
  assert.equal(await servesFolder(process.pid, process.cwd()), false);
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
  assert.equal(isAlive(child.pid!), true);
  child.stdin.end();
  await once(child, 'exit');
  assert.equal(isAlive(child.pid!), false);
});
