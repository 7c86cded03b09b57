/** The default data folder is beside the user, except where the server's account could not get there. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaultDataFolder } from './database-location.ts';

test('an ordinary user gets ./data', () => {
  assert.equal(defaultDataFolder('/some/folder', 1000), '/some/folder/data');
});

test('root gets ./data where others may pass, and the system folder where they may not', () => {
  const folder = mkdtempSync(join('/tmp', 'ccx-default-'));
  try {
    chmodSync(folder, 0o755);
    assert.equal(defaultDataFolder(folder, 0), join(folder, 'data'));
    chmodSync(folder, 0o700);
    assert.equal(
      defaultDataFolder(folder, 0),
      process.getuid?.() === 65_534 ? join(folder, 'data') : '/var/lib/ccx-notifications',
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
