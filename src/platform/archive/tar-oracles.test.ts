/**
 * What other programs write and read: archives that GNU tar makes in every format with every kind of member, read here and by GNU tar (and
 * Python's tarfile, where there is one). The same files with the same bytes come out.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, openSync, symlinkSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { openArchiveCounting } from './open-archive.ts';

const gnuTar = (() => {
  const { status, stdout } = spawnSync('tar', ['--version'], { encoding: 'utf8' });
  return status === 0 && stdout.includes('GNU tar');
})();
const python = spawnSync('python3', ['--version']).status === 0;

const id = 'c25da893-5ba1-4229-9432-c8ec9334c4a0';
/** Longer than a header's field, so that every format has to say it in its own way. */
const longName = `config/${'d'.repeat(90)}/${'f'.repeat(120)}`;

describe('archives of GNU tar', { skip: gnuTar ? false : 'tar is not GNU tar' }, () => {
  const folder = temporaryFolder();
  before(() => {
    const root = join(folder, 'archive');
    mkdirSync(join(root, 'config', 'd'.repeat(90)), { recursive: true });
    writeFileSync(join(root, 'config/id'), id);
    writeFileSync(join(root, 'config/version.json'), '{"a":1}');
    writeFileSync(join(root, 'config/empty'), '');
    writeFileSync(join(root, longName), 'long');
    writeFileSync(join(root, 'config/ключ'), 'not ASCII');
    linkSync(join(root, 'config/version.json'), join(root, 'config/zz-linked.json'));
    symlinkSync('id', join(root, 'config/symbolic'));
    utimesSync(join(root, 'config/id'), -10_000, -10_000);
    // Twelve pieces: more than the four that fit into a header, so that the map goes on in blocks of its own.
    const sparse = openSync(join(root, 'config/sparse.log'), 'w');
    for (let piece = 0; piece < 12; piece += 1) writeSync(sparse, `piece ${piece}\n`.repeat(40), piece * 200_000);
    const many = openSync(join(root, 'config/sparse-many.log'), 'w');
    for (let piece = 0; piece < 60; piece += 1) writeSync(many, `${piece}`, piece * 16_384);
    writeSync(many, '\0', 60 * 16_384);
    writeFileSync(join(root, 'config/tail-hole'), Buffer.concat([Buffer.from('x'), Buffer.alloc(100_000)]));
  });

  const pack = (...options: readonly string[]) =>
    execFileSync('tar', [...options, '-cf', '-', '-C', join(folder, 'archive'), '.'], { maxBuffer: 64 << 20 });

  /** Path → size and bytes, as GNU tar takes them out. */
  const extracted = (packed: Buffer): ReadonlyMap<string, Buffer> => {
    const names = execFileSync('tar', ['-tf', '-', '--quoting-style=literal'], { input: packed, encoding: 'utf8' });
    const target = mkdtempSync(join(folder, 'out-'));
    execFileSync('tar', ['-xf', '-', '-C', target, '--warning=no-timestamp'], {
      input: packed,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const found = execFileSync('find', [target, '-type', 'f', '-printf', '%P\\n'], { encoding: 'utf8' });
    assert.ok(names.length > 0);
    return new Map(
      found
        .trim()
        .split('\n')
        .map((path) => [path, execFileSync('cat', [join(target, path)], { maxBuffer: 64 << 20 })]),
    );
  };

  const cases: Readonly<Record<string, readonly string[]>> = {
    gnu: ['--format=gnu'],
    'gnu, sparse': ['--format=gnu', '-S'],
    'old GNU, sparse': ['--format=oldgnu', '-S'],
    'pax, sparse 0.0': ['--format=posix', '-S', '--sparse-version=0.0'],
    'pax, sparse 0.1': ['--format=posix', '-S', '--sparse-version=0.1'],
    'pax, sparse 1.0': ['--format=posix', '-S', '--sparse-version=1.0'],
    'pax with attributes': ['--format=posix', '--xattrs', '--pax-option=comment=a global one,comment:=one of each'],
    'a volume label in GNU': ['--format=gnu', '-V', 'insights ../label'],
    'a volume label in pax': ['--format=posix', '-V', 'label'],
    'an incremental dump': ['--format=gnu', '--incremental'],
    'an incremental dump in pax': ['--format=posix', '--incremental'],
    'an owner and a time that need more room': ['--format=gnu', '--owner=big:9999999', '--mtime=@99999999999'],
    'blocks of one record': ['--format=gnu', '-b', '1'],
  };
  for (const [title, options] of Object.entries(cases)) {
    test(`${title}: the same files with the same bytes`, async () => {
      const packed = pack(...options);
      const { files } = await openArchiveCounting(packed);
      const expected = extracted(packed);
      assert.ok(expected.size >= 9, `${expected.size} files`);
      assert.deepEqual([...files.keys()].sort(), [...expected.keys()].sort());
      for (const [path, bytes] of expected) assert.ok(bytes.equals(files.get(path)!), path);
    });
  }

  test('v7 and ustar, which cannot say the long name', async () => {
    for (const format of ['v7', 'ustar']) {
      const packed = pack(`--format=${format}`, '--exclude=*ddd', '--exclude=*ключ');
      const { files } = await openArchiveCounting(packed);
      assert.deepEqual([...files.keys()].sort(), [...extracted(packed).keys()].sort(), format);
    }
  });

  test('Python reads and writes the same', { skip: python ? false : 'no python3' }, async () => {
    for (const format of ['USTAR_FORMAT', 'GNU_FORMAT', 'PAX_FORMAT']) {
      const program = [
        'import io, sys, tarfile',
        'out = io.BytesIO()',
        `tar = tarfile.open(fileobj=out, mode="w", format=tarfile.${format})`,
        'for name, body in (("config/id", b"id"), ("config/a", b"x" * 700)):',
        '    info = tarfile.TarInfo(name)',
        '    info.size = len(body)',
        '    tar.addfile(info, io.BytesIO(body))',
        'link = tarfile.TarInfo("config/b"); link.type = tarfile.LNKTYPE; link.linkname = "config/a"; tar.addfile(link)',
        'tar.close(); sys.stdout.buffer.write(out.getvalue())',
      ].join('\n');
      const { files } = await openArchiveCounting(execFileSync('python3', ['-c', program]));
      assert.deepEqual([...files.keys()], ['config/id', 'config/a', 'config/b'], format);
      assert.equal(files.get('config/b')?.length, 700);
    }
  });
});
