/** Changes to what holds the files: tar headers, extended headers, links, the order and the end of the entries, and the gzip data around them. */
import { constants, deflateRawSync, gzipSync } from 'node:zlib';
import { Header } from 'tar';
import type { Chance } from '../seeded.ts';

const blockBytes = 512;

interface Entry {
  readonly path: string;
  readonly header: Buffer;
  readonly body: Buffer;
}

/** Files as a tar archive, with so many changes. */
export function fuzzTar(files: ReadonlyMap<string, Buffer>, chance: Chance, edits: number, deeds: string[]): Buffer {
  let entries = [...files].map(([path, body]) => entryOf(path, body));
  let end = Buffer.alloc(2 * blockBytes);
  for (let edit = 0; edit < edits; edit += 1) {
    const [what, change] = chance.pick(entryDeeds);
    entries = change(entries, chance);
    deeds.push(`tar: ${what}`);
  }
  if (edits > 0 && chance.next() < 0.3) {
    const [what, bytes] = chance.pick<readonly [string, Buffer]>([
      ['no end mark', Buffer.alloc(0)],
      ['half an end mark', Buffer.alloc(blockBytes)],
      ['a long end', Buffer.alloc(40 * blockBytes)],
      ['an end that is cut', Buffer.alloc(700)],
      ['something behind the end', Buffer.concat([end, Buffer.from('x'.repeat(blockBytes))])],
      ['entries behind the end', Buffer.concat([end, ...blocksOf(entries.slice(0, 2)), end])],
    ]);
    end = Buffer.from(bytes);
    deeds.push(`tar: ${what}`);
  }
  return Buffer.concat([...blocksOf(entries), end]);
}

function blocksOf(entries: readonly Entry[]): Buffer[] {
  return entries.flatMap(({ header, body }) => [
    header,
    body,
    Buffer.alloc((blockBytes - (body.length % blockBytes)) % blockBytes),
  ]);
}

function entryOf(path: string, body: Buffer, type: Header['type'] = 'File', linkpath?: string): Entry {
  const header = Buffer.alloc(blockBytes);
  const link = linkpath === undefined ? {} : { linkpath };
  // Paths that need more than a header are cut: the names of extended headers are `extended`'s business.
  new Header({ path, type, mode: 0o640, uid: 0, gid: 0, size: body.length, mtime: new Date(0), ...link }).encode(
    header,
  );
  return { path, header, body };
}

/** With the checksum of what stands in it. */
function sealed(header: Buffer): Buffer {
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function withHeader(entry: Entry, change: (header: Buffer) => void): Entry {
  const header = Buffer.from(entry.header);
  change(header);
  return { ...entry, header: sealed(header) };
}

type EntryDeed = readonly [what: string, change: (entries: readonly Entry[], chance: Chance) => Entry[]];

/** Puts entries somewhere among the others. */
function among(entries: readonly Entry[], chance: Chance, ...added: readonly Entry[]): Entry[] {
  const at = chance.below(entries.length + 1);
  return [...entries.slice(0, at), ...added, ...entries.slice(at)];
}

function changeOne(entries: readonly Entry[], chance: Chance, change: (entry: Entry) => Entry): Entry[] {
  const at = chance.below(entries.length);
  return entries.map((entry, index) => (index === at ? change(entry) : entry));
}

const sizes = [
  '77777777777\0',
  '00000000000\0',
  '00000001000\0',
  '00000100000\0',
  '-0000000001\0',
  '           \0',
  'garbage!!!!\0',
];
const types = ['1', '2', '3', '5', '6', '7', 'A', 'D', 'g', 'K', 'L', 'M', 'N', 'S', 'V', 'x', 'X', 'Z', '\0', '\xff'];
const targets = ['config/id', 'config/nowhere', '../../etc/passwd', '/etc/passwd', '', 'config/node', '\xff'];

const entryDeeds: readonly EntryDeed[] = [
  [
    'another file of the same name',
    (entries, chance) => among(entries, chance, entryOf(chance.pick(entries).path, chance.pick(entries).body)),
  ],
  ['every file twice', (entries) => [...entries, ...entries]],
  ['another order', (entries, chance) => chance.shuffle(entries)],
  ['./ before every name', (entries) => entries.map(({ path, body }) => entryOf(`./${path}`, body))],
  ['a folder around all', (entries) => entries.map(({ path, body }) => entryOf(`one/${path}`, body))],
  [
    'a folder around some',
    (entries, chance) =>
      entries.map((entry) => (chance.next() < 0.5 ? entry : entryOf(`one/${entry.path}`, entry.body))),
  ],
  [
    'a name that leads out',
    (entries, chance) =>
      among(
        entries,
        chance,
        entryOf(chance.pick(['../x', '/x', 'a/../../x', 'C:\\x', 'config/../..', '..', '.', '']), Buffer.from('x')),
      ),
  ],
  [
    'a folder',
    (entries, chance) =>
      among(entries, chance, entryOf(chance.pick(['config/', 'config/id/', 'x']), Buffer.alloc(0), 'Directory')),
  ],
  [
    'a symbolic link',
    (entries, chance) =>
      among(entries, chance, entryOf('config/link.json', Buffer.alloc(0), 'SymbolicLink', chance.pick(targets))),
  ],
  [
    'hard links',
    (entries, chance) =>
      among(
        entries,
        chance,
        ...Array.from({ length: chance.pick([1, 50]) }, (_, index) =>
          entryOf(
            `config/node/link-${index}.json`,
            Buffer.alloc(0),
            'Link',
            chance.pick([...targets, chance.pick(entries).path]),
          ),
        ),
      ),
  ],
  [
    'many empty files',
    (entries) => [
      ...entries,
      ...Array.from({ length: 3_000 }, (_, index) => entryOf(`config/e/${index}`, Buffer.alloc(0))),
    ],
  ],
  [
    'a size that is none',
    (entries, chance) =>
      changeOne(entries, chance, (entry) =>
        withHeader(entry, (header) => header.write(chance.pick(sizes), 124, 'latin1')),
      ),
  ],
  [
    'a size in binary',
    (entries, chance) =>
      changeOne(entries, chance, (entry) =>
        withHeader(entry, (header) => {
          header.fill(chance.pick([0, 0xff, 7]), 124, 136);
          header[124] = chance.pick([0x80, 0xff]);
        }),
      ),
  ],
  [
    'a type',
    (entries, chance) =>
      changeOne(entries, chance, (entry) =>
        withHeader(entry, (header) => header.write(chance.pick(types), 156, 'latin1')),
      ),
  ],
  [
    'a header of any bytes',
    (entries, chance) =>
      changeOne(entries, chance, (entry) =>
        withHeader(entry, (header) => {
          for (let byte = 0; byte < 60; byte += 1) header[chance.below(blockBytes)] = chance.below(256);
        }),
      ),
  ],
  [
    'a header with a wrong checksum',
    (entries, chance) =>
      changeOne(entries, chance, (entry) => {
        const header = Buffer.from(entry.header);
        header[chance.below(blockBytes)]! ^= 1 << chance.below(8);
        return { ...entry, header };
      }),
  ],
  [
    'a name without an end',
    (entries, chance) => changeOne(entries, chance, (entry) => withHeader(entry, (header) => header.fill('n', 0, 100))),
  ],
  [
    'something behind the end of a name',
    (entries, chance) => changeOne(entries, chance, (entry) => withHeader(entry, (header) => header.write('x', 98))),
  ],
  ['an extended header', (entries, chance) => among(entries, chance, extended(chance))],
  ['an extended header', (entries, chance) => among(entries, chance, extended(chance), extended(chance))],
  ['a sparse file', (entries, chance) => among(entries, chance, sparse(chance))],
  [
    'a block of zeros between',
    (entries, chance) => among(entries, chance, { path: '', header: Buffer.alloc(blockBytes), body: Buffer.alloc(0) }),
  ],
];

const paxRecords = [
  ...['path=config/pax.json', 'path=../../x', 'path=', 'path=a\u0000b', `path=${'p/'.repeat(600)}x`, 'size=5'],
  ...['size=99999999999999', 'size=-1'],
  ...['size=x', 'linkpath=config/id', 'mtime=9999999999999999999999', 'GNU.sparse.major=1', 'GNU.sparse.minor=0'],
  'GNU.sparse.realsize=1e9',
  ...['GNU.sparse.map=0,5,10', 'GNU.sparse.map=0,x', 'GNU.sparse.numblocks=4000000000', 'GNU.sparse.name=config/s'],
  ...['hdrcharset=BINARY', '=', 'x'],
];

/** For the next entry, or for all behind it: pax or GNU, with lengths that are right or not. */
function extended(chance: Chance): Entry {
  const isGnu = chance.next() < 0.3;
  const body = isGnu
    ? Buffer.from(chance.pick(['config/gnu.json\0', '', '\0\0\0', 'g'.repeat(3_000), '../../x\0', 'a\0b\0']))
    : Buffer.from(Array.from({ length: 1 + chance.below(4) }, () => paxRecord(chance)).join(''));
  return withHeader(entryOf('PaxHeader', body), (header) =>
    header.write(isGnu ? chance.pick(['L', 'K']) : chance.pick(['x', 'x', 'x', 'g', 'X']), 156, 'latin1'),
  );
}

function paxRecord(chance: Chance): string {
  const text = chance.pick(paxRecords);
  const rest = ` ${text}\n`;
  let length = Buffer.byteLength(rest) + 1;
  while (String(length).length + Buffer.byteLength(rest) !== length) length += 1;
  return chance.next() < 0.8
    ? `${length}${rest}`
    : chance.pick([`${length + 7}${rest}`, `0${rest}`, rest, `${length}`, `99999999999${rest}`]);
}

function sparse(chance: Chance): Entry {
  const body = Buffer.alloc(chance.pick([0, 5, 700]), 'x');
  return withHeader(entryOf('config/sparse.json', body), (header) => {
    header.write('S', 156, 'latin1');
    header.write('ustar  \0', 257, 'latin1');
    for (let region = 0; region < 4; region += 1) {
      header.write(`${chance.below(4_000).toString(8).padStart(11, '0')}\0`, 386 + region * 24, 'latin1');
      header.write(
        `${chance
          .pick([0, 5, 512, 10 ** 9])
          .toString(8)
          .padStart(11, '0')}\0`,
        398 + region * 24,
        'latin1',
      );
    }
    header[482] = chance.below(2);
    header.write(
      `${chance
        .pick([0, 700, 10 ** 9])
        .toString(8)
        .padStart(11, '0')}\0`,
      483,
      'latin1',
    );
  });
}

/** Packed as it should be, or not. */
export function fuzzGzip(tar: Buffer, chance: Chance, edits: number, deeds: string[]): Buffer {
  if (edits === 0) return gzipSync(tar, { level: constants.Z_BEST_SPEED });
  const [what, pack] = chance.pick(gzipDeeds);
  deeds.push(`gzip: ${what}`);
  return pack(tar, chance);
}

const gzip = (bytes: Buffer) => gzipSync(bytes, { level: constants.Z_BEST_SPEED });

const gzipDeeds: readonly (readonly [what: string, pack: (tar: Buffer, chance: Chance) => Buffer])[] = [
  ['none', (tar) => tar],
  ['nothing at all', () => Buffer.alloc(0)],
  ['not compressed', (tar) => gzipSync(tar, { level: 0 })],
  ['in members', (tar, chance) => inMembers(tar, chance)],
  ['twice', (tar) => gzip(gzip(tar))],
  ['cut', (tar, chance) => cut(gzip(tar), chance)],
  ['a plain tar that is cut', (tar, chance) => cut(tar, chance)],
  ['bits flipped', (tar, chance) => flipped(gzip(tar), chance)],
  ['bits of the plain tar flipped', (tar, chance) => gzip(flipped(tar, chance))],
  ['zeros behind', (tar) => Buffer.concat([gzip(tar), Buffer.alloc(1_000)])],
  ['something behind', (tar) => Buffer.concat([gzip(tar), Buffer.from('behind')])],
  ['a wrong checksum', (tar, chance) => spoilt(gzip(tar), -8 + chance.below(8))],
  ['flags of the header', (tar, chance) => withFlags(tar, chance.below(256))],
  ['no method', (tar) => spoilt(gzip(tar), 2)],
  [
    'another format',
    (tar, chance) =>
      Buffer.concat([
        Buffer.from(chance.pick(['BZh9', '\xfd7zXZ\0', 'PK\x03\x04', '(\xb5/\xfd']), 'latin1'),
        tar.subarray(0, 4_000),
      ]),
  ],
  ['zeros', () => gzip(Buffer.alloc(3_000_000))],
];

function inMembers(tar: Buffer, chance: Chance): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < tar.length; ) {
    const next = at + 1 + chance.below(Math.max(1, Math.floor(tar.length / 4)));
    parts.push(gzip(tar.subarray(at, next)));
    at = next;
  }
  return Buffer.concat(parts);
}

function cut(bytes: Buffer, chance: Chance): Buffer {
  return bytes.subarray(0, chance.below(bytes.length));
}

function flipped(bytes: Buffer, chance: Chance): Buffer {
  const copy = Buffer.from(bytes);
  for (let flip = 1 + chance.below(5); flip > 0; flip -= 1) copy[chance.below(copy.length)]! ^= 1 << chance.below(8);
  return copy;
}

/** `at` counts from the end where it is negative. */
function spoilt(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at < 0 ? copy.length + at : at]! ^= 0x55;
  return copy;
}

/** The flags announce fields that are not there. */
function withFlags(tar: Buffer, flags: number): Buffer {
  return Buffer.concat([
    Buffer.from([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3]),
    deflateRawSync(tar, { level: 1 }),
    Buffer.alloc(8),
  ]);
}
