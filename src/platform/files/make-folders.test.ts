/** Folders that a person names, where they can be made and where they cannot. */
import assert from 'node:assert/strict';
import { existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { makeFolders } from './make-folders.ts';

test('every level that is missing is made with the mode, and the first of them is named', async () => {
  const root = temporaryFolder();
  const path = join(root, 'a', 'b', 'c');
  assert.equal(await makeFolders(path, 0o700), join(root, 'a'));
  assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.equal(await makeFolders(path, 0o700), undefined);
});

test('what is in the way is an error, and none goes round for ever', async () => {
  const root = temporaryFolder();
  const file = join(root, 'file');
  writeFileSync(file, '');
  await assert.rejects(makeFolders(join(file, 'below')), { code: 'ENOTDIR' });
  const astray = join(root, 'astray');
  symlinkSync(join(root, 'nowhere'), astray);
  await assert.rejects(makeFolders(join(astray, 'below')), { code: 'ENOENT' });
  if (existsSync('/proc/self')) await assert.rejects(makeFolders('/proc/x/rules'), { code: 'ENOENT' });
});
