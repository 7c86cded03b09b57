/** Processor time and memory of a process and of its children are told apart, those that have ended included. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { cpuSince, cpuTimes, forgetPeaks, peakMebibytes } from './costs.ts';

const withoutProc = existsSync('/proc/self/stat') ? false : 'there is no /proc here';
const watched = { process: process.pid };

test('work of a process, and of a child that has ended, are told apart', { skip: withoutProc }, () => {
  const before = cpuTimes(watched);
  spawnSync(process.execPath, ['-e', 'while (process.cpuUsage().user < 200_000);']);
  const withChild = cpuSince(watched, before);
  assert.ok(withChild.children >= 100, String(withChild.children));
  assert.ok(withChild.process < withChild.children, String(withChild.process));
  const startedUs = process.cpuUsage().user;
  while (process.cpuUsage().user - startedUs < 200_000);
  const withBoth = cpuSince(watched, before);
  assert.ok(withBoth.process - withChild.process >= 150, String(withBoth.process));
  assert.equal(withBoth.children, withChild.children);
  assert.equal(withBoth.server, 0);
});

test('a peak is what was resident since it was forgotten', { skip: withoutProc }, () => {
  forgetPeaks(watched);
  const before = peakMebibytes(watched).process;
  assert.ok(before > 10, String(before));
  const held = Buffer.alloc(64 * 1024 * 1024, 1);
  assert.ok(peakMebibytes(watched).process - before > 50);
  assert.equal(held.at(-1), 1);
});

test('of a process that is not there nothing is said', () => {
  const nobody = { process: 2 ** 22 + 1, server: 2 ** 22 + 1 };
  assert.deepEqual(cpuTimes(nobody), { process: 0, children: 0, server: 0 });
  assert.deepEqual(peakMebibytes(nobody), { process: 0, children: 0 });
  forgetPeaks(nobody);
});
