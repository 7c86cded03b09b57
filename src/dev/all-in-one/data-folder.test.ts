/** One owner per data folder, and a crash leaves nothing that a person has to clean up. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CcxError } from '../../contracts/ccx-error.ts';
import { openDataFolder } from './data-folder.ts';

function withFolder(work: (path: string) => void): void {
  const path = mkdtempSync(join(tmpdir(), 'ccx-data-'));
  try {
    work(path);
  } finally {
    rmSync(path, { recursive: true });
  }
}

test('a folder is new once', () => {
  withFolder((path) => {
    const first = openDataFolder(join(path, 'a/b'));
    assert.equal(first.isNew, true);
    first.release();
    const second = openDataFolder(join(path, 'a/b'));
    assert.equal(second.isNew, false);
    second.release();
  });
});

test('a folder whose owner lives is refused with the owner and the flag', () => {
  withFolder((path) => {
    const parent = process.ppid;
    const folder = openDataFolder(path);
    folder.release();
    writeFileSync(join(path, 'all-in-one.lock'), `${parent} ${startOf(parent)}\n`);
    assert.throws(
      () => openDataFolder(path),
      (error: unknown) =>
        error instanceof CcxError &&
        error.code === 'DATA_FOLDER_IN_USE' &&
        error.message.includes(String(parent)) &&
        /--data/.test(error.hint ?? ''),
    );
  });
});

test('a lock that a crash left behind is taken over, also when its process id lives again as another process', () => {
  withFolder((path) => {
    for (const remains of ['999999999 1', `${process.ppid} 1`, 'garbage', '']) {
      writeFileSync(join(path, 'all-in-one.lock'), `${remains}\n`);
      openDataFolder(path).release();
    }
  });
});

test('a folder that cannot be made is one clear error', () => {
  assert.throws(
    () => openDataFolder('/dev/null/data'),
    (error: unknown) => error instanceof CcxError && error.code === 'DATA_FOLDER_UNUSABLE',
  );
});

function startOf(pid: number): string {
  try {
    const stat = process.getBuiltinModule('node:fs').readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return 'unknown';
  }
}
