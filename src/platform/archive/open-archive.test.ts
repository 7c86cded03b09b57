/** What opening an archive accepts, refuses and costs. Every code `ARCHIVE_*` has its case; every limit is tried at its value and one past. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { createGzip, deflateRawSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { Header } from 'tar';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { ArchiveLimits } from './archive.ts';
import { defaultArchiveLimits } from './archive.ts';
import { openArchive, openArchiveCounting, ratioCheckedFromBytes } from './open-archive.ts';
import { packArchive, packTar } from './pack-archive.ts';
import { extendedHeaderBytesMax } from './tar-decoder.ts';

const marker = { path: 'config/id', body: 'c25da893-5ba1-4229-9432-c8ec9334c4a0' };
const realArchives = new URL('../../../../shared/data/archives/', import.meta.url);

interface RawEntry {
  readonly path: string;
  readonly type?: Header['type'];
  readonly body?: Buffer | string;
  readonly linkpath?: string;
  readonly size?: number;
}

/** A tar file as no packer of ours would write it. */
function rawTar(entries: readonly (RawEntry | Buffer)[], end: Buffer = Buffer.alloc(1024)): Buffer {
  const blocks: Buffer[] = [];
  for (const entry of entries) {
    if (Buffer.isBuffer(entry)) {
      blocks.push(entry);
      continue;
    }
    const body = Buffer.from(entry.body ?? '');
    const header = new Header({
      path: entry.path,
      mode: 0o640,
      uid: 0,
      gid: 0,
      size: entry.size ?? body.length,
      mtime: new Date(0),
      type: entry.type ?? 'File',
      ...(entry.linkpath === undefined ? {} : { linkpath: entry.linkpath }),
    });
    const block = Buffer.alloc(512);
    header.encode(block);
    blocks.push(block, body, Buffer.alloc((512 - (body.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, end]);
}

/** A pax header with these records before the next entry. */
function paxHeader(records: string, type: RawEntry['type'] = 'ExtendedHeader'): Buffer {
  return rawTar([{ path: 'PaxHeader/x', type, body: records }], Buffer.alloc(0));
}

function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (String(length).length + rest !== length) length += 1;
  return `${length} ${key}=${value}\n`;
}

function withLimits(limits: Partial<ArchiveLimits>): ArchiveLimits {
  return { ...defaultArchiveLimits, ...limits };
}

async function codeOf(source: Readable | Buffer, limits?: ArchiveLimits): Promise<string> {
  try {
    await openArchive(source, limits);
    return 'opened';
  } catch (error) {
    assert.ok(error instanceof CcxError, `a ${String(error)} is no CcxError`);
    return error.code;
  }
}

function withChecksum(block: Buffer): Buffer {
  let sum = 8 * 0x20;
  for (let at = 0; at < 512; at += 1) if (at < 148 || at >= 156) sum += block[at]!;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

describe('opening an archive', () => {
  test('gives the files of a gzip-compressed and of a plain tar alike', async () => {
    const files = [marker, { path: 'config/version.json', body: '{}' }, { path: 'empty', body: '' }];
    for (const packed of [packArchive(files), packTar(files)]) {
      const opened = await openArchive(packed);
      assert.deepEqual([...opened.keys()].sort(), ['config/id', 'config/version.json', 'empty']);
      assert.equal(opened.get('config/id')?.toString(), marker.body);
      assert.equal(opened.get('empty')?.length, 0);
    }
  });

  test('gives the same files from a stream of any chunk size', async () => {
    const packed = packArchive([marker, { path: 'a', body: 'x'.repeat(5_000) }]);
    for (const plain of [packed, packTar([marker, { path: 'a', body: 'x'.repeat(5_000) }])]) {
      for (const size of [1, 7, 511, 512, 513, 100_000]) {
        const chunks: Buffer[] = [];
        for (let at = 0; at < plain.length; at += size) chunks.push(plain.subarray(at, at + size));
        const opened = await openArchive(Readable.from(chunks));
        assert.equal(opened.get('a')?.toString(), 'x'.repeat(5_000));
      }
    }
  });

  test('G17: tells what it met on the way', async () => {
    const tar = rawTar([
      { path: './top/', type: 'Directory' },
      { path: './top/config/id', body: 'one' },
      { path: './top/config/id', body: 'two' },
      { path: './top/link', type: 'SymbolicLink', linkpath: '/etc/passwd' },
      { path: './top/pipe', type: 'FIFO' },
      { path: './top/disk', type: 'BlockDevice' },
      { path: './top/hard', type: 'Link', linkpath: 'config/id' },
    ]);
    const { files, unpackedBytes, skippedEntries } = await openArchiveCounting(gzipSync(tar));
    assert.deepEqual([...files.keys()], ['config/id']);
    assert.equal(files.get('config/id')?.toString(), 'two', 'the last entry of a path wins');
    assert.deepEqual([unpackedBytes, skippedEntries], [tar.length, 4]);
  });

  test('takes one common parent directory off, and only one', async () => {
    assert.deepEqual([...(await openArchive(packTar([{ path: 'must/config/id', body: '' }]))).keys()], ['config/id']);
    assert.equal(await codeOf(packTar([{ path: 'a/b/config/id', body: '' }])), 'ARCHIVE_NOT_INSIGHTS');
    const beside = packTar([
      { path: 'must/config/id', body: '' },
      { path: 'other/file', body: '' },
    ]);
    assert.equal(await codeOf(beside), 'ARCHIVE_NOT_INSIGHTS');
  });

  test('knows an operator archive by any one of its markers', async () => {
    for (const path of [
      'config/version.json',
      'config/id',
      'config/featuregate.json',
      'insights-operator/gathers.json',
    ]) {
      assert.equal(await codeOf(packArchive([{ path, body: '{}' }])), 'opened', path);
    }
  });

  test('says of anything else what the reference says', async () => {
    await assert.rejects(openArchive(packArchive([{ path: 'etc/hosts', body: '' }])), {
      code: 'ARCHIVE_NOT_INSIGHTS',
      message: 'Cannot detect execution context',
    });
    await assert.rejects(openArchive(packArchive([])), {
      code: 'ARCHIVE_NOT_INSIGHTS',
      message: /^Cannot detect execution context/,
    });
  });

  test('reads long and non-ASCII paths from pax and GNU headers', async () => {
    const long = `config/${'d'.repeat(120)}/${'f'.repeat(120)}`;
    const accented = 'config/configmaps/ns/naïve/ключ';
    const packed = await openArchive(packArchive([marker, { path: long, body: '1' }, { path: accented, body: '2' }]));
    assert.equal(packed.get(long)?.toString(), '1');
    assert.equal(packed.get(accented)?.toString(), '2');
    const gnu = rawTar([
      { path: '././@LongLink', type: 'NextFileHasLongPath', body: `${long}\0` },
      { path: 'cut', body: '3' },
      marker,
    ]);
    assert.equal((await openArchive(gnu)).get(long)?.toString(), '3');
  });

  test('applies a pax size to the entry behind it and to no other', async () => {
    const tar = rawTar([
      paxHeader(paxRecord('size', '3')),
      { path: 'config/id', body: 'abc', size: 0 },
      { path: 'b', body: 'd' },
    ]);
    const files = await openArchive(tar);
    assert.equal(files.get('config/id')?.toString(), 'abc');
    assert.equal(files.get('b')?.toString(), 'd');
  });

  test('gives the files of several gzip members in a row, wherever they are cut', async () => {
    const tar = packTar([marker, { path: 'a', body: 'x'.repeat(5_000) }]);
    for (const cut of [1, 700, tar.length - 1, tar.length]) {
      const members = [tar.subarray(0, cut), tar.subarray(cut)].map((part) => gzipSync(part));
      for (const packed of [Buffer.concat(members), Buffer.concat([...members, gzipSync('')])]) {
        assert.equal((await openArchive(packed)).get('a')?.toString(), 'x'.repeat(5_000), `cut at ${cut}`);
      }
    }
  });

  test('takes zeros behind the gzip data for padding', async () => {
    assert.equal(await codeOf(Buffer.concat([packArchive([marker]), Buffer.alloc(4_096)])), 'opened');
  });

  test('does not unpack a second layer of gzip', async () => {
    assert.equal(await codeOf(gzipSync(packArchive([marker]))), 'ARCHIVE_NOT_TAR');
  });

  test('destroys the stream it was given, whatever happens', async () => {
    const good = Readable.from([packArchive([marker])]);
    await openArchive(good);
    assert.equal(good.destroyed, true);
    const bad = Readable.from([Buffer.from('no archive at all')]);
    assert.equal(await codeOf(bad), 'ARCHIVE_FORMAT_UNSUPPORTED');
    assert.equal(bad.destroyed, true);
  });
});

describe('G15, G16, G18: an archive is refused', () => {
  const tar = packTar([marker, { path: 'a', body: 'x'.repeat(2_000) }]);
  const packed = gzipSync(tar);
  const zip = Buffer.concat([Buffer.from('PK\x03\x04'), deflateRawSync(tar)]);
  const overlongPax = paxHeader(paxRecord('comment', 'c'.repeat(extendedHeaderBytesMax)));
  const cases: readonly (readonly [title: string, bytes: Buffer, code: string])[] = [
    ['empty', Buffer.alloc(0), 'ARCHIVE_EMPTY'],
    ['a zip', zip, 'ARCHIVE_FORMAT_UNSUPPORTED'],
    ['bzip2', Buffer.from('BZh91AY&SY'), 'ARCHIVE_FORMAT_UNSUPPORTED'],
    ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), 'ARCHIVE_FORMAT_UNSUPPORTED'],
    ['text', Buffer.from('x'.repeat(600)), 'ARCHIVE_FORMAT_UNSUPPORTED'],
    ['gzip of text', gzipSync('x'.repeat(600)), 'ARCHIVE_NOT_TAR'],
    ['gzip of numbers that no tar header has', gzipSync(Buffer.alloc(2_000, 0xff)), 'ARCHIVE_NOT_TAR'],
    ['gzip cut in the middle', packed.subarray(0, packed.length / 2), 'ARCHIVE_TRUNCATED'],
    ['gzip without its last byte', packed.subarray(0, -1), 'ARCHIVE_TRUNCATED'],
    ['gzip cut in its header', packed.subarray(0, 2), 'ARCHIVE_TRUNCATED'],
    ['tar cut in a file', tar.subarray(0, 2_000), 'ARCHIVE_TRUNCATED'],
    ['tar cut in a header', tar.subarray(0, 1_200), 'ARCHIVE_TRUNCATED'],
    ['tar cut in the padding', tar.subarray(0, 600), 'ARCHIVE_TRUNCATED'],
    ['tar cut between two entries', tar.subarray(0, 1_024), 'ARCHIVE_TRUNCATED'],
    ['gzip of a cut tar', gzipSync(tar.subarray(0, 2_000)), 'ARCHIVE_TRUNCATED'],
    ['garbage behind the gzip', Buffer.concat([packed, Buffer.from('garbage')]), 'ARCHIVE_CORRUPT'],
    ['garbage behind the tar', Buffer.concat([tar, Buffer.from('garbage')]), 'ARCHIVE_TRAILING_DATA'],
    ['a second tar behind the end mark', gzipSync(Buffer.concat([tar, tar])), 'ARCHIVE_TRAILING_DATA'],
    ['a lone zero block', rawTar([marker, Buffer.alloc(512), marker]), 'ARCHIVE_TRAILING_DATA'],
    ['a flipped byte in the gzip data', flipped(packed, packed.length - 6), 'ARCHIVE_CORRUPT'],
    ['a gzip file that says it is larger than it is', sized(packed, tar.length + 512), 'ARCHIVE_CORRUPT'],
    ['a gzip file that says it is smaller than it is', sized(packed, 512), 'ARCHIVE_CORRUPT'],
    ['a gzip file that says it is empty', sized(packed, 0), 'ARCHIVE_CORRUPT'],
    ['a gzip file that says it has 4 GiB', sized(packed, 2 ** 32 - 1), 'ARCHIVE_CORRUPT'],
    ['a flipped byte in the second header', flipped(tar, 1_024), 'ARCHIVE_CORRUPT'],
    ['a pax header that is none', rawTar([paxHeader('12 nonsense'), marker]), 'ARCHIVE_CORRUPT'],
    [
      'a pax record of no length',
      rawTar([paxHeader(`${paxRecord('comment', 'x')}0 a=b\n`), marker]),
      'ARCHIVE_CORRUPT',
    ],
    [
      'a pax record without a length',
      rawTar([paxHeader(`${paxRecord('comment', 'x')}nonsense`), marker]),
      'ARCHIVE_CORRUPT',
    ],
    ['a pax size that is none', rawTar([paxHeader(paxRecord('size', '1e99')), marker]), 'ARCHIVE_CORRUPT'],
    ['a huge extended header', rawTar([overlongPax, marker]), 'ARCHIVE_HEADER_TOO_LARGE'],
    ['a parent directory', rawTar([{ path: '../config/id' }]), 'ARCHIVE_PATH_UNSAFE'],
    ['a parent directory inside', rawTar([{ path: 'config/../../id' }]), 'ARCHIVE_PATH_UNSAFE'],
    ['a parent directory of Windows', rawTar([{ path: 'config\\..\\id' }]), 'ARCHIVE_PATH_UNSAFE'],
    ['an absolute path', rawTar([{ path: '/config/id' }]), 'ARCHIVE_PATH_UNSAFE'],
    ['a drive letter', rawTar([{ path: 'C:\\config\\id' }]), 'ARCHIVE_PATH_UNSAFE'],
    ['a directory that leads out', rawTar([{ path: '../', type: 'Directory' }, marker]), 'ARCHIVE_PATH_UNSAFE'],
    ['a NUL in a pax name', rawTar([paxHeader(paxRecord('path', 'config/id\0x')), marker]), 'ARCHIVE_PATH_UNSAFE'],
    ['something behind the NUL of a name', nulInName(), 'ARCHIVE_PATH_UNSAFE'],
    ['a file that is the root', rawTar([{ path: './.' }, marker]), 'ARCHIVE_PATH_UNSAFE'],
    ['a tar.gz at its top level', packTar([marker, { path: 'inner.tar.gz', body: 'x' }]), 'ARCHIVE_NESTED'],
    ['a zip at its top level', packTar([marker, { path: './inner.zip', body: 'x' }]), 'ARCHIVE_NESTED'],
    ['no operator archive', packTar([{ path: 'etc/hosts', body: 'x' }]), 'ARCHIVE_NOT_INSIGHTS'],
  ];
  for (const [title, bytes, code] of cases) {
    test(`${title}: ${code}`, async () => {
      assert.equal(await codeOf(bytes), code);
      assert.equal(await codeOf(Readable.from([bytes])), code, 'from a stream');
    });
  }

  test('zeros behind the end are padding, however they come', async () => {
    assert.equal(await codeOf(Buffer.concat([tar, Buffer.alloc(10_240)])), 'opened');
    assert.equal(await codeOf(gzipSync(Buffer.concat([tar, Buffer.alloc(10_240)]))), 'opened');
  });

  test('a source that fails is not the archive: the error is retryable', async () => {
    const source = Readable.from(
      (async function* () {
        yield packed.subarray(0, 100);
        throw new Error('connection reset');
      })(),
    );
    await assert.rejects(openArchive(source), { code: 'ARCHIVE_UNREADABLE', retryable: true });
  });
});

describe('what does not matter costs nothing', () => {
  const opens = async (tar: Buffer) => {
    const { files, skippedEntries } = await openArchiveCounting(gzipSync(tar));
    assert.equal(files.get('config/id')?.toString(), marker.body);
    return { files, skippedEntries };
  };

  test('a time beyond every number', async () => {
    const tar = rawTar([marker, { path: 'config/b', body: 'b' }]);
    for (const first of [0x80, 0xff]) {
      tar.fill(first, 136, 137).fill(0x7f, 137, 148);
      await opens(Buffer.concat([withChecksum(tar.subarray(0, 512)), tar.subarray(512)]));
    }
    tar.write('no number...', 136, 'latin1');
    await opens(Buffer.concat([withChecksum(tar.subarray(0, 512)), tar.subarray(512)]));
  });

  test('owners, modes and device numbers that are none', async () => {
    const tar = rawTar([marker]);
    tar.write('x'.repeat(24), 100, 'latin1');
    tar.write('y'.repeat(16), 329, 'latin1');
    await opens(Buffer.concat([withChecksum(tar.subarray(0, 512)), tar.subarray(512)]));
  });

  test('a checksum of signed bytes, also in a plain tar', async () => {
    const tar = rawTar([{ path: 'config/ключ', body: 'k' }, marker]);
    const block = tar.subarray(0, 512);
    let sum = 8 * 0x20;
    for (let at = 0; at < 512; at += 1) if (at < 148 || at >= 156) sum += block.readInt8(at);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    await opens(tar);
    assert.equal((await openArchive(tar)).get('config/ключ')?.toString(), 'k');
  });

  test('a volume label, whatever stands in it and with a size or without', async () => {
    const label = rawTar([{ path: '/dev/nst0 ../x', type: 'TapeVolumeHeader' }], Buffer.alloc(0));
    label.fill(0, 124, 136);
    const { skippedEntries } = await opens(Buffer.concat([withChecksum(label), rawTar([marker])]));
    assert.equal(skippedEntries, 1);
    await opens(rawTar([{ path: 'label', type: 'TapeVolumeHeader', body: 'ignored' }, marker]));
  });

  test('members of kinds that are no files, with the length that they have', async () => {
    for (const type of ['ContinuationFile', 'SolarisACL', 'GNUDumpDir', 'OldGnuLongPath', 'Inode'] as const) {
      const { files } = await opens(rawTar([{ path: 'config/x', type, body: 'x'.repeat(700) }, marker]));
      assert.deepEqual([...files.keys()], ['config/id'], type);
    }
  });

  test('a directory that says how large it is has no body all the same', async () => {
    await opens(rawTar([{ path: 'config/', type: 'Directory', size: 4_096 }, marker]));
  });

  test('a type that nobody knows is a file, as POSIX has it', async () => {
    const tar = rawTar([{ path: 'config/odd', body: 'odd' }, marker]);
    tar.write('Z', 156, 'latin1');
    const { files } = await opens(Buffer.concat([withChecksum(tar.subarray(0, 512)), tar.subarray(512)]));
    assert.equal(files.get('config/odd')?.toString(), 'odd');
  });

  test('empty values of an extended header take back what was said', async () => {
    await opens(rawTar([paxHeader(paxRecord('path', 'x') + paxRecord('path', '') + paxRecord('size', '')), marker]));
  });

  test('an extended header that is filled up with NULs, in pax and in GNU format', async () => {
    const filled = (text: string) => text.padEnd(700, '\0');
    await opens(rawTar([paxHeader(filled(paxRecord('path', 'config/id'))), { path: 'x', body: marker.body }]));
    await opens(rawTar([paxHeader(filled('')), marker]));
    const name: RawEntry = { path: '././@LongLink', type: 'NextFileHasLongPath', body: filled('config/id') };
    await opens(rawTar([name, { path: 'x', body: marker.body }]));
    const target: RawEntry = { path: '././@LongLink', type: 'NextFileHasLongLinkpath', body: filled('config/id') };
    const { files } = await opens(rawTar([marker, target, { path: 'config/b', type: 'Link', linkpath: 'cut' }]));
    assert.equal(files.get('config/b')?.toString(), marker.body);
  });

  test('attributes of a desktop that fill an extended header', async () => {
    const attributes = paxRecord('LIBARCHIVE.xattr.com.apple.ResourceFork', 'A'.repeat(300_000));
    await opens(rawTar([paxHeader(attributes), marker]));
  });

  test('files that a desktop adds, beside the one directory and in it', async () => {
    const { files, skippedEntries } = await opens(
      rawTar([
        { path: './._archive', body: Buffer.from([0, 5, 0x16, 7]) },
        { path: './.DS_Store', body: 'x' },
        { path: './archive/', type: 'Directory' },
        { path: './archive/config/id', body: marker.body },
        { path: './archive/config/._id', body: 'anything' },
        { path: './archive/config/node/._a.json', body: 'anything' },
        { path: '__MACOSX/archive/config/._id', body: 'x' },
        ...['.localized', 'Icon\r', 'Thumbs.db', 'desktop.ini', '.Spotlight-V100/Store', '.fseventsd/no_log'].map(
          (path) => ({
            path,
            body: 'x',
          }),
        ),
      ]),
    );
    assert.deepEqual([...files.keys()], ['config/id']);
    assert.deepEqual(skippedEntries, 11);
    assert.equal(await codeOf(packTar([marker, { path: '._x.tar.gz', body: 'x' }])), 'opened');
    assert.equal(await codeOf(packTar([{ path: '._x', body: 'x' }])), 'ARCHIVE_NOT_INSIGHTS');
  });
});

describe('G17: a hard link', () => {
  test('to an earlier member is a second name for its bytes', async () => {
    const { files, skippedEntries } = await openArchiveCounting(
      rawTar([
        { path: './top/config/id', body: 'one' },
        { path: './top/b', type: 'Link', linkpath: './top/config/id' },
        { path: './top/c', type: 'Link', linkpath: 'top//b' },
        { path: './top/config/id', body: 'two' },
      ]),
    );
    assert.deepEqual(
      [...files].map(([path, bytes]) => [path, bytes.toString()]),
      [
        ['config/id', 'two'],
        ['b', 'one'],
        ['c', 'one'],
      ],
    );
    assert.equal(skippedEntries, 0);
  });

  test('whose target needs an extended header, in pax and in GNU format', async () => {
    const long = `config/${'f'.repeat(150)}`;
    for (const extended of [
      paxHeader(paxRecord('linkpath', long)),
      rawTar([{ path: '././@LongLink', type: 'NextFileHasLongLinkpath', body: `${long}\0` }], Buffer.alloc(0)),
    ]) {
      const member = paxHeader(paxRecord('path', long));
      const link: RawEntry = { path: 'config/b', type: 'Link', linkpath: 'cut' };
      const files = await openArchive(rawTar([marker, member, { path: 'x', body: 'long' }, extended, link]));
      assert.equal(files.get('config/b')?.toString(), 'long');
    }
  });

  test('to anything else is passed over and counted', async () => {
    for (const linkpath of ['later', 'config', '../../etc/passwd', '/etc/passwd', 'config/b', '', 'c:\\x']) {
      const link: RawEntry = { path: 'config/b', type: 'Link', linkpath };
      const { files, skippedEntries } = await openArchiveCounting(rawTar([marker, link, { path: 'later', body: 'x' }]));
      assert.deepEqual([...files.keys()], ['config/id', 'later'], linkpath);
      assert.equal(skippedEntries, 1, linkpath);
    }
    assert.equal(
      await codeOf(rawTar([marker, { path: '../b', type: 'Link', linkpath: 'config/id' }])),
      'ARCHIVE_PATH_UNSAFE',
    );
  });

  test('counts its bytes towards the limit again', async () => {
    const member: RawEntry = { path: 'config/a', body: 'x'.repeat(1_000) };
    const links = Array.from(
      { length: 9 },
      (_, n): RawEntry => ({ path: `b${n}`, type: 'Link', linkpath: 'config/a' }),
    );
    const tar = rawTar([marker, member, ...links]);
    const unpackedBytes = tar.length + 9 * 1_000;
    assert.equal(await codeOf(gzipSync(tar), withLimits({ unpackedBytesMax: unpackedBytes })), 'opened');
    assert.equal(
      await codeOf(gzipSync(tar), withLimits({ unpackedBytesMax: unpackedBytes - 1 })),
      'ARCHIVE_UNPACKED_TOO_LARGE',
    );
    const opened = await openArchiveCounting(tar);
    assert.equal(opened.unpackedBytes, unpackedBytes);
  });
});

describe('a sparse file', () => {
  /** Regions as GNU's old format has them: four in the header, twenty-one in each block behind it. */
  const sparseTar = (file: {
    readonly realSize: number;
    readonly regions: readonly (readonly [number, number])[];
    readonly data: Buffer;
  }): Buffer => {
    const tar = rawTar([{ path: 'config/sparse', body: file.data }], Buffer.alloc(0));
    const header = tar.subarray(0, 512);
    const octal = (value: number) => value.toString(8).padStart(11, '0');
    const write = (block: Buffer, at: number, [offset, bytes]: readonly [number, number]) => {
      block.write(`${octal(offset)}\0${octal(bytes)}\0`, at, 'latin1');
    };
    header.fill(0, 345, 512).write('ustar  \0', 257, 'latin1');
    header.write('S', 156, 'latin1');
    header.write(`${octal(file.realSize)}\0`, 483, 'latin1');
    for (const [n, region] of file.regions.slice(0, 4).entries()) write(header, 386 + n * 24, region);
    header[482] = file.regions.length > 4 ? 1 : 0;
    const extensions: Buffer[] = [];
    for (let at = 4; at < file.regions.length; at += 21) {
      const block = Buffer.alloc(512);
      for (const [n, region] of file.regions.slice(at, at + 21).entries()) write(block, n * 24, region);
      block[504] = file.regions.length > at + 21 ? 1 : 0;
      extensions.push(block);
    }
    return Buffer.concat([withChecksum(header), ...extensions, tar.subarray(512), rawTar([marker])]);
  };
  const pieces = (count: number) => Array.from({ length: count }, (_, n) => [n * 1_000, 10] as const);

  test('keeps its holes, however many pieces it has and however it comes', async () => {
    for (const count of [0, 1, 4, 5, 25, 26, 60]) {
      const data = Buffer.alloc(count * 10, 'x');
      const tar = sparseTar({ realSize: 100_000, regions: pieces(count), data });
      for (const source of [tar, Readable.from([...tar].map((byte) => Buffer.from([byte])))]) {
        const { files, skippedEntries } = await openArchiveCounting(source);
        assert.deepEqual([...files.keys()], ['config/sparse', 'config/id']);
        const file = files.get('config/sparse')!;
        assert.equal(file.length, 100_000);
        for (let n = 0; n < count; n += 1)
          assert.equal(file.toString('latin1', n * 1_000, n * 1_000 + 11), `${'x'.repeat(10)}\0`);
        assert.equal(skippedEntries, 0);
      }
    }
  });

  test('counts its holes towards the limits', async () => {
    const tar = sparseTar({ realSize: 100_000, regions: pieces(1), data: Buffer.alloc(10) });
    assert.equal(await codeOf(tar, withLimits({ entryBytesMax: 99_999 })), 'ARCHIVE_ENTRY_TOO_LARGE');
    const unpackedBytes = tar.length + 100_000 - 10;
    assert.equal(await codeOf(tar, withLimits({ unpackedBytesMax: unpackedBytes })), 'opened');
    assert.equal(await codeOf(tar, withLimits({ unpackedBytesMax: unpackedBytes - 1 })), 'ARCHIVE_UNPACKED_TOO_LARGE');
  });

  test('with a map that does not fit is damaged', async () => {
    const cases: readonly (readonly [string, Parameters<typeof sparseTar>[0]])[] = [
      ['beyond its end', { realSize: 5, regions: [[0, 10]], data: Buffer.alloc(10) }],
      ['one over the other', { realSize: 100, regions: [[0, 10], [5, 10]], data: Buffer.alloc(20) }], // biome-ignore format: pairs
      ['backwards', { realSize: 100, regions: [[50, 10], [0, 10]], data: Buffer.alloc(20) }], // biome-ignore format: pairs
      ['less data than it says', { realSize: 100, regions: [[0, 10]], data: Buffer.alloc(5) }],
      ['more data than it says', { realSize: 100, regions: [[0, 10]], data: Buffer.alloc(15) }],
      ['a size that is not safe', { realSize: 100, regions: [[0, 8 ** 11 - 1]], data: Buffer.alloc(15) }],
    ];
    for (const [title, file] of cases) assert.equal(await codeOf(sparseTar(file)), 'ARCHIVE_CORRUPT', title);
    const endless = sparseTar({ realSize: 100, regions: pieces(300), data: Buffer.alloc(3_000) });
    assert.equal(
      await codeOf(endless, withLimits({ entryBytesMax: 4_096 })),
      'ARCHIVE_CORRUPT',
      'more pieces than blocks',
    );
    assert.equal(
      await codeOf(sparseTar({ realSize: 1e5, regions: pieces(60), data: Buffer.alloc(0) }).subarray(0, 1_024)),
      'ARCHIVE_TRUNCATED',
    );
  });

  test('of a pax header with a map that is none is damaged', async () => {
    const file: RawEntry = { path: 'config/sparse', body: 'xy' };
    const sparse = (records: Readonly<Record<string, string>>) =>
      rawTar([
        paxHeader(
          Object.entries(records)
            .map(([key, value]) => paxRecord(`GNU.sparse.${key}`, value))
            .join(''),
        ),
        file,
        marker,
      ]);
    const code = (records: Readonly<Record<string, string>>) => codeOf(sparse(records));
    assert.equal(await code({ size: '10', map: '0,1,5,1' }), 'opened');
    const broken: readonly Readonly<Record<string, string>>[] = [
      { map: '0,2' },
      { size: '10', map: '0,1,5' },
      { size: '10', map: '0,x' },
      { size: '10', numbytes: '2' },
      { size: '1e9', map: '0,2' },
      { major: '1', minor: '0', realsize: '10' },
    ];
    for (const records of broken) {
      assert.equal(await code(records), 'ARCHIVE_CORRUPT', JSON.stringify(records));
    }
    assert.equal(await code({ size: '10', map: '0,2', name: '../x' }), 'ARCHIVE_PATH_UNSAFE');
  });
});

describe('G15, G16, G18: limits hold at their value and not one past it', () => {
  test('entries', async () => {
    const files = [marker, ...Array.from({ length: 9 }, (_, n) => ({ path: `f${n}`, body: '' }))];
    assert.equal(await codeOf(packTar(files), withLimits({ entriesMax: 10 })), 'opened');
    assert.equal(await codeOf(packTar(files), withLimits({ entriesMax: 9 })), 'ARCHIVE_TOO_MANY_ENTRIES');
  });

  test('extended headers count, too', async () => {
    const comments = Array.from({ length: 10 }, () => paxHeader(paxRecord('comment', 'c')));
    assert.equal(await codeOf(rawTar([...comments, marker]), withLimits({ entriesMax: 10 })), 'opened');
    assert.equal(
      await codeOf(rawTar([...comments, marker]), withLimits({ entriesMax: 9 })),
      'ARCHIVE_TOO_MANY_ENTRIES',
    );
  });

  test('bytes of one file', async () => {
    const packed = packArchive([marker, { path: 'a', body: 'x'.repeat(1_000) }]);
    assert.equal(await codeOf(packed, withLimits({ entryBytesMax: 1_000 })), 'opened');
    assert.equal(await codeOf(packed, withLimits({ entryBytesMax: 999 })), 'ARCHIVE_ENTRY_TOO_LARGE');
  });

  test('unpacked bytes', async () => {
    const tar = packTar([marker]);
    for (const bytes of [tar, gzipSync(tar)]) {
      assert.equal(await codeOf(bytes, withLimits({ unpackedBytesMax: tar.length })), 'opened');
      assert.equal(await codeOf(bytes, withLimits({ unpackedBytesMax: tar.length - 1 })), 'ARCHIVE_UNPACKED_TOO_LARGE');
    }
  });

  test('packed bytes', async () => {
    const packed = packArchive([marker]);
    assert.equal(await codeOf(packed, withLimits({ packedBytesMax: packed.length })), 'opened');
    assert.equal(await codeOf(packed, withLimits({ packedBytesMax: packed.length - 1 })), 'ARCHIVE_PACKED_TOO_LARGE');
  });

  test('bytes of a path', async () => {
    const path = `config/${'x'.repeat(93)}`;
    const packed = packArchive([marker, { path, body: '' }]);
    assert.equal(await codeOf(packed, withLimits({ pathBytesMax: 100 })), 'opened');
    assert.equal(await codeOf(packed, withLimits({ pathBytesMax: 99 })), 'ARCHIVE_PATH_TOO_LONG');
  });

  test('directories of a path', async () => {
    const packed = packArchive([marker, { path: 'a/b/c/d/file', body: '' }]);
    assert.equal(await codeOf(packed, withLimits({ pathDepthMax: 4 })), 'opened');
    assert.equal(await codeOf(packed, withLimits({ pathDepthMax: 3 })), 'ARCHIVE_PATH_TOO_DEEP');
  });

  test('ratio, from the least number of bytes on', async () => {
    const body = Buffer.alloc(ratioCheckedFromBytes);
    const bomb = packArchive([marker, { path: 'zeros', body }]);
    assert.equal(await codeOf(bomb), 'ARCHIVE_RATIO');
    assert.equal(await codeOf(bomb, withLimits({ ratioMax: 1_100 })), 'opened', 'deflate never passes 1032');
    const small = packArchive([marker, { path: 'zeros', body: body.subarray(0, ratioCheckedFromBytes - 4_096) }]);
    assert.equal(await codeOf(small), 'opened');
  });

  test('a file that claims more than the whole archive may hold is refused by its header alone', async () => {
    const claim = rawTar([marker, { path: 'big', type: 'TapeVolumeHeader', size: 2 ** 33 }], Buffer.alloc(0));
    assert.equal(await codeOf(claim), 'ARCHIVE_UNPACKED_TOO_LARGE');
  });
});

describe('G15: a bomb', () => {
  test('of 1000:1 is stopped early: most of it is never read', async () => {
    const total = 512 * 1024 * 1024;
    const zeros = Buffer.alloc(1024 * 1024);
    const header = rawTar([{ path: 'a', type: 'TapeVolumeHeader', size: 2 ** 25 }], Buffer.alloc(0));
    let produced = 0;
    const plain = Readable.from(
      (function* () {
        yield header;
        for (; produced < total; produced += zeros.length) yield zeros;
      })(),
    );
    const before = process.memoryUsage().rss;
    assert.equal(await codeOf(plain.pipe(createGzip())), 'ARCHIVE_RATIO');
    plain.destroy();
    assert.ok(produced < total / 4, `${produced} bytes were produced`);
    assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024, 'memory stays bounded');
  });

  test('that says it is small, in one gzip member or in many, is unpacked no further than the limit', async () => {
    const zeros = gzipSync(Buffer.alloc(32 * 1024 * 1024));
    const label = gzipSync(rawTar([{ path: 'a', type: 'TapeVolumeHeader', size: 2 ** 25 }], Buffer.alloc(0)));
    const lying = sized(gzipSync(Buffer.concat([packTar([marker]), Buffer.alloc(128 * 1024 * 1024)])), 4_096);
    const many = Buffer.concat([label, ...Array.from({ length: 16 }, () => zeros), gzipSync(Buffer.alloc(512))]);
    for (const bomb of [lying, many]) {
      const before = process.memoryUsage().arrayBuffers;
      assert.equal(await codeOf(bomb), 'ARCHIVE_RATIO');
      assert.equal(await codeOf(bomb, withLimits({ ratioMax: 2_000 })), 'ARCHIVE_UNPACKED_TOO_LARGE');
      assert.ok(process.memoryUsage().arrayBuffers - before < defaultArchiveLimits.unpackedBytesMax + 2 ** 21);
    }
  });

  test('of a limit below what it says is refused by the limit', async () => {
    const packed = packArchive([marker, { path: 'a', body: 'x'.repeat(5_000) }]);
    assert.equal(await codeOf(packed, withLimits({ unpackedBytesMax: 4_096 })), 'ARCHIVE_UNPACKED_TOO_LARGE');
  });
});

describe('whatever bytes come', () => {
  const tar = packTar([marker, { path: 'a/b', body: 'x'.repeat(700) }, { path: 'ключ', body: '1' }]);
  const packed = gzipSync(tar);

  test('a cut or changed archive opens or fails with a code, and never hangs', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(tar, packed),
        fc.array(fc.record({ at: fc.nat(), bit: fc.integer({ min: 0, max: 7 }) }), { maxLength: 4 }),
        fc.option(fc.nat(), { nil: undefined }),
        fc.boolean(),
        async (original, flips, cut, streamed) => {
          const bytes = Buffer.from(original);
          for (const { at, bit } of flips) bytes[at % bytes.length]! ^= 1 << bit;
          const damaged = cut === undefined ? bytes : bytes.subarray(0, cut % (bytes.length + 1));
          const code = await codeOf(streamed ? Readable.from([damaged]) : damaged);
          assert.match(code, /^(opened|ARCHIVE_[A-Z_]+)$/);
          assert.notEqual(code, 'ARCHIVE_UNREADABLE');
        },
      ),
      { numRuns: 400 },
    );
  });

  test('an archive in one piece ends as one in many pieces does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(tar, packed, Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))])),
        fc.array(fc.record({ at: fc.nat(), bit: fc.integer({ min: 0, max: 7 }) }), { maxLength: 3 }),
        fc.option(fc.nat(), { nil: undefined }),
        fc.integer({ min: 1, max: 600 }),
        async (original, flips, cut, size) => {
          const bytes = Buffer.from(original);
          for (const { at, bit } of flips) bytes[at % bytes.length]! ^= 1 << bit;
          const damaged = cut === undefined ? bytes : bytes.subarray(0, cut % (bytes.length + 1));
          const pieces: Buffer[] = [];
          for (let at = 0; at < damaged.length; at += size) pieces.push(damaged.subarray(at, at + size));
          const outcome = async (source: Readable | Buffer) => {
            try {
              const { files, unpackedBytes, skippedEntries } = await openArchiveCounting(source);
              return { files: [...files], unpackedBytes, skippedEntries };
            } catch (error) {
              return error instanceof CcxError ? error.code : error;
            }
          };
          assert.deepEqual(await outcome(damaged), await outcome(Readable.from(pieces)));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('a header with any content and a right checksum opens or fails with a code', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 512, maxLength: 512 }), fc.nat(600), async (block, bodyBytes) => {
        const bytes = Buffer.concat([withChecksum(Buffer.from(block)), Buffer.alloc(bodyBytes, 1), rawTar([marker])]);
        assert.match(await codeOf(bytes), /^(opened|ARCHIVE_[A-Z_]+)$/);
      }),
      { numRuns: 300 },
    );
  });
});

describe('real archives', { skip: existsSync(realArchives) ? false : '../shared/data/archives is absent' }, () => {
  const expected = [
    { name: 'rapid-recommendations.tar.gz', files: 187 },
    { name: 'insights-operator-docs-sample.tar.gz', files: 224 },
    { name: 'ocp_with_id.tar', files: 1 },
  ];
  for (const { name, files } of expected) {
    test(`${name} holds ${files} files`, async () => {
      const { files: opened, skippedEntries } = await openArchiveCounting(readFileSync(new URL(name, realArchives)));
      assert.equal(opened.size, files);
      assert.equal(skippedEntries, 0);
      assert.ok(opened.get('config/id')!.length >= 36);
    });
  }
});

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 0xff;
  return copy;
}

/** The same gzip file with another size at its end. */
function sized(packed: Buffer, size: number): Buffer {
  const copy = Buffer.from(packed);
  copy.writeUInt32LE(size, copy.length - 4);
  return copy;
}

function nulInName(): Buffer {
  const tar = rawTar([marker]);
  tar.write('evil', 50, 'latin1');
  withChecksum(tar.subarray(0, 512));
  return tar;
}
