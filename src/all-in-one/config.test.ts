/** What is only remembered for convenience must not end what is under way. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { dataFolderAt } from './config.ts';

test('a mark that cannot be written stops nothing', () => {
  const folder = dataFolderAt(join(tmpdir(), 'ccx-no-such-folder', 'data'));
  folder.markUsed();
  assert.equal(folder.isNew(), true);
});
