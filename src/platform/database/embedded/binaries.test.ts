/** PostgreSQL's programs made runnable, on a small made-up package: links, copies, and platforms without any. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { chmod, lstat, mkdir, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { temporaryFolder } from '../../../../test/support/temporary-folder.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { locatePackage, type PackageLocation, prepareBinaries } from './binaries.ts';

let folder: string;
let location: PackageLocation;
const user = { name: 'nobody', uid: 65_534, gid: 65_534 };

beforeEach(async () => {
  folder = temporaryFolder();
  location = { root: join(folder, 'package'), version: '17.10.0-beta.17' };
  await mkdir(join(location.root, 'native', 'bin'), { recursive: true });
  await mkdir(join(location.root, 'native', 'lib'));
  const links = [{ source: 'native/lib/libpq.so.5.17', target: 'native/lib/libpq.so.5' }];
  await writeFile(join(location.root, 'native', 'pg-symlinks.json'), JSON.stringify(links));
  await writeFile(join(location.root, 'native', 'lib', 'libpq.so.5.17'), 'library');
  await writeFile(join(location.root, 'native', 'bin', 'postgres'), 'program', { mode: 0o700 });
});

const prepare = (as: typeof user | undefined, cacheFolders = [join(folder, 'cache')]) =>
  prepareBinaries(location, { user: as, uuid: randomUUID, cacheFolders });

test('an ordinary user runs the package where it is, with the links that its install step would have made', async () => {
  const binaries = await prepare(undefined);
  assert.equal(binaries.postgres, join(location.root, 'native', 'bin', 'postgres'));
  assert.equal(binaries.majorVersion, '17');
  assert.equal(await readlink(join(location.root, 'native', 'lib', 'libpq.so.5')), 'libpq.so.5.17');
  assert.deepEqual(await prepare(undefined), binaries);
});

test('for another account the programs are copied once to where everybody can run them, whatever the umask', async () => {
  const umask = process.umask(0o077);
  const binaries = await prepare(user).finally(() => process.umask(umask));
  assert.match(binaries.postgres, /cache\/postgres-17\.10\.0-beta\.17-\w+-\w+\/bin\/postgres$/);
  assert.equal((await stat(binaries.postgres)).mode & 0o777, 0o755);
  const copy = dirname(dirname(binaries.postgres));
  for (const part of [copy, join(copy, 'lib')]) assert.equal((await stat(part)).mode & 0o777, 0o755);
  assert.equal((await stat(join(copy, 'lib', 'libpq.so.5.17'))).mode & 0o777, 0o644);
  assert.equal(await readFile(join(copy, 'lib', 'libpq.so.5'), 'utf8'), 'library');
  const made = (await lstat(binaries.postgres)).ino;
  await prepare(user);
  assert.equal((await lstat(binaries.postgres)).ino, made);
});

test('a copy that a cleaner of temporary files has thinned out is made again', async () => {
  const binaries = await prepare(user);
  const copy = dirname(dirname(binaries.postgres));
  for (const lost of ['bin/postgres', 'lib/libpq.so.5']) {
    await rm(join(copy, lost));
    await prepare(user);
    assert.ok(await lstat(join(copy, lost)), lost);
  }
  await writeFile(join(copy, 'lib', 'libpq.so.5.17'), 'cut');
  await prepare(user);
  assert.equal(await readFile(join(copy, 'lib', 'libpq.so.5.17'), 'utf8'), 'library');
});

test('processes that copy at once end with one copy and no leftovers', async () => {
  const all = await Promise.all([1, 2, 3, 4].map(() => prepare(user)));
  assert.equal(new Set(all.map(({ postgres }) => postgres)).size, 1);
  assert.equal((await readdir(join(folder, 'cache'))).length, 1);
});

test('a cache folder that others can write to is not trusted; the next one is used, or none', async () => {
  const open = join(folder, 'open');
  await mkdir(open);
  await chmod(open, 0o777);
  const binaries = await prepare(user, [open, join(folder, 'cache')]);
  assert.match(binaries.postgres, /\/cache\//);
  await assert.rejects(prepare(user, [open]), { code: 'EMBEDDED_POSTGRES_CACHE' });
});

test('a platform without binaries gets one error that names the alternative', () => {
  const cases: [NodeJS.Platform, NodeJS.Architecture, boolean][] = [
    ['linux', process.arch, false],
    ['linux', 's390x', true],
    ['win32', 'x64', true],
  ];
  for (const [platform, arch, glibc] of cases) {
    assert.throws(
      () => locatePackage(platform, arch, glibc),
      (error) =>
        error instanceof CcxError &&
        error.code === 'EMBEDDED_POSTGRES_UNSUPPORTED' &&
        error.message.includes(platform) &&
        /--database/.test(error.hint ?? ''),
    );
  }
});
