/** The data folder appears where it is asked for, and knows whether it was used. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CcxError } from '../../contracts/ccx-error.ts';
import { openDataFolder } from './data-folder.ts';

test('a folder is new until it was used', () => {
  const path = mkdtempSync(join(tmpdir(), 'ccx-data-'));
  try {
    const folder = openDataFolder(join(path, 'a/b'));
    assert.ok(existsSync(folder.objects));
    assert.equal(folder.isNew, true);
    assert.equal(openDataFolder(join(path, 'a/b')).isNew, true);
    folder.markUsed();
    assert.equal(openDataFolder(join(path, 'a/b')).isNew, false);
  } finally {
    rmSync(path, { recursive: true });
  }
});

test('a folder that cannot be made is one clear error with the flag', () => {
  assert.throws(
    () => openDataFolder('/dev/null/data'),
    (error: unknown) =>
      error instanceof CcxError && error.code === 'DATA_FOLDER_UNUSABLE' && /--data/.test(error.hint ?? ''),
  );
});
