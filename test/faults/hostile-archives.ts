/**
 * Uploads that no operator makes, each with the code that it is dead-lettered with. Made without holding in memory what they would unpack to:
 * a gzip stream may consist of many members, so one small member of zeros, or of empty entries, is repeated.
 */
import { gzipSync } from 'node:zlib';
import { Header } from 'tar';
import { packArchive, packTar } from '../../src/platform/archive/pack-archive.ts';

export interface HostileArchive {
  /** By its number in consumers.md 5.3. */
  readonly fault: 'G15' | 'G16' | 'G18';
  readonly title: string;
  readonly archive: Buffer;
  readonly code: string;
}

const blockBytes = 512;
const mebibyte = 1024 * 1024;
const endMark = Buffer.alloc(2 * blockBytes);
const marker = { path: 'config/id', body: '5d5892d3-1f74-4ccf-91af-548dfc9767aa' };

interface RawEntry {
  readonly path: string;
  readonly type?: Header['type'];
  readonly body?: string;
  readonly linkpath?: string;
  readonly size?: number;
}

/** Entries of a tar file without its end, as no packer of ours would write them. */
export function rawEntries(entries: readonly RawEntry[]): Buffer {
  return Buffer.concat(
    entries.flatMap(({ path, type = 'File', body = '', linkpath, size = Buffer.byteLength(body) }) => {
      const block = Buffer.alloc(blockBytes);
      const link = linkpath === undefined ? {} : { linkpath };
      new Header({ path, type, mode: 0o640, uid: 0, gid: 0, size, mtime: new Date(0), ...link }).encode(block);
      const padding = (blockBytes - (Buffer.byteLength(body) % blockBytes)) % blockBytes;
      return [block, Buffer.from(body), Buffer.alloc(padding)];
    }),
  );
}

export function hostileArchives(): HostileArchive[] {
  const whole = packArchive([marker, { path: 'config/version.json', body: '{}' }]);
  const zeros = gzipSync(Buffer.alloc(mebibyte));
  const tooMuch = (path: string, mebibytes: number) =>
    Buffer.concat([gzipSync(rawEntries([{ path, size: mebibytes * mebibyte }])), ...repeated(zeros, mebibytes)]);
  const ofPath = (path: string) => gzipSync(Buffer.concat([rawEntries([{ path, body: 'x' }, marker]), endMark]));
  const thousandEntries = gzipSync(
    rawEntries(Array.from({ length: 1_000 }, (_, index) => ({ path: `config/pod/${index}` }))),
  );
  return [
    { fault: 'G18', title: 'is no gzip', archive: Buffer.alloc(2_000, 'x'), code: 'ARCHIVE_FORMAT_UNSUPPORTED' },
    { fault: 'G18', title: 'is gzip of something else', archive: gzipSync('x'.repeat(2_000)), code: 'ARCHIVE_NOT_TAR' },
    {
      fault: 'G18',
      title: 'is cut in its middle',
      archive: whole.subarray(0, whole.length / 2),
      code: 'ARCHIVE_TRUNCATED',
    },
    { fault: 'G18', title: 'lacks its last bytes', archive: whole.subarray(0, -4), code: 'ARCHIVE_TRUNCATED' },
    { fault: 'G15', title: 'unpacks to a thousand times its size', archive: bomb(zeros), code: 'ARCHIVE_RATIO' },
    { fault: 'G15', title: 'is a bomb within an archive', archive: nested(bomb(zeros)), code: 'ARCHIVE_NESTED' },
    { fault: 'G15', title: 'is gzip within gzip', archive: gzipSync(bomb(zeros)), code: 'ARCHIVE_NOT_TAR' },
    {
      fault: 'G16',
      title: 'has a name with ..',
      archive: ofPath('../../etc/cron.d/evil'),
      code: 'ARCHIVE_PATH_UNSAFE',
    },
    { fault: 'G16', title: 'has a name of another drive', archive: ofPath('C:\\evil'), code: 'ARCHIVE_PATH_UNSAFE' },
    {
      fault: 'G18',
      title: 'has garbage behind its end',
      archive: Buffer.concat([whole, Buffer.from('garbage')]),
      code: 'ARCHIVE_CORRUPT',
    },
    { fault: 'G16', title: 'has an absolute name', archive: ofPath('/etc/cron.d/evil'), code: 'ARCHIVE_PATH_UNSAFE' },
    {
      fault: 'G18',
      title: 'has a million entries',
      archive: Buffer.concat([...repeated(thousandEntries, 1_000), gzipSync(endMark)]),
      code: 'ARCHIVE_TOO_MANY_ENTRIES',
    },
    {
      fault: 'G18',
      title: 'has an entry of 200 MB',
      archive: tooMuch('config/large', 200),
      code: 'ARCHIVE_ENTRY_TOO_LARGE',
    },
    {
      fault: 'G18',
      title: 'is of nobody knows what',
      archive: packArchive([{ path: 'etc/passwd', body: 'x' }]),
      code: 'ARCHIVE_NOT_INSIGHTS',
    },
  ];
}

/** Entries of a megabyte each, one after the other: each of them allowed, all of them a bomb. */
function bomb(zeros: Buffer): Buffer {
  const entries = Array.from({ length: 40 }, (_, index) => [
    gzipSync(rawEntries([{ path: `config/zeros-${index}`, size: mebibyte }])),
    zeros,
  ]);
  return Buffer.concat([gzipSync(rawEntries([marker])), ...entries.flat(), gzipSync(endMark)]);
}

function nested(archive: Buffer): Buffer {
  return gzipSync(packTar([{ path: 'inner.tar.gz', body: archive }]));
}

function repeated(part: Buffer, times: number): Buffer[] {
  return Array.from({ length: times }, () => part);
}
