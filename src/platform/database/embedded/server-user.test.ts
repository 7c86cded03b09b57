/** Whose account the server runs under when we are root, and what keeps that account out. */
import assert from 'node:assert/strict';
import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../../test/support/temporary-folder.ts';
import { chooseServerUser, findClosedFolder } from './server-user.ts';

const folder = temporaryFolder();

async function choose(passwd: string) {
  const path = join(folder, 'passwd');
  await writeFile(path, passwd);
  return chooseServerUser(0, path);
}

test('an ordinary user, or a system without user ids, runs the server as itself', () => {
  assert.equal(chooseServerUser(1000), undefined);
  assert.equal(chooseServerUser(undefined), undefined);
});

test('root takes uid 65534, else nobody, else uid 1000, each with its own group', async () => {
  const root = 'root:x:0:0:root:/root:/bin/sh\n';
  const first = 'node:x:1000:1001::/home/node:/bin/sh\n';
  const nobody = 'nobody:*:99:98:Nobody:/:/sbin/nologin\n';
  const overflow = 'nfsnobody:x:65534:65533::/:/sbin/nologin\n';
  assert.deepEqual(await choose(root + first + nobody + overflow), { name: 'nfsnobody', uid: 65_534, gid: 65_533 });
  assert.deepEqual(await choose(root + first + nobody), { name: 'nobody', uid: 99, gid: 98 });
  assert.deepEqual(await choose(root + first), { name: 'node', uid: 1000, gid: 1001 });
});

test('root without any such account is told what to do', async () => {
  const refused = { code: 'EMBEDDED_POSTGRES_NO_USER', hint: /--database/ };
  await assert.rejects(choose('root:x:0:0:root:/root:/bin/sh\n\nbroken line\n'), refused);
  assert.throws(() => chooseServerUser(0, join(folder, 'absent')), refused);
});

test('the folder that keeps an account out is named, by owner, group and others', async () => {
  const inner = join(folder, 'a', 'b');
  await mkdir(inner, { recursive: true });
  await chmod(join(folder, 'a'), 0o755);
  await chmod(inner, 0o755);
  const { uid, gid } = await stat(inner);
  const stranger = { name: 's', uid: uid + 1, gid: gid + 1 };
  assert.equal(findClosedFolder(inner, stranger), undefined);
  await chmod(inner, 0o750);
  assert.equal(findClosedFolder(inner, stranger), inner);
  assert.equal(findClosedFolder(inner, { ...stranger, gid }), undefined);
  await chmod(join(folder, 'a'), 0o700);
  assert.equal(findClosedFolder(inner, { ...stranger, gid }), join(folder, 'a'));
  assert.equal(findClosedFolder(inner, { name: 'o', uid, gid }), undefined);
});
