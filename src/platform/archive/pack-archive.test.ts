/** What a packed archive looks like to others: a foreign reader (node-tar) must see what the operator's archives show. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Parser, type ReadEntry } from 'tar';
import { type FileToPack, packArchive, packTar } from './pack-archive.ts';

function listed(tar: Buffer): ReadEntry[] {
  const entries: ReadEntry[] = [];
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      entries.push(entry);
      entry.resume();
    },
  });
  parser.end(tar);
  return entries;
}

const files: readonly FileToPack[] = [
  { path: 'config/old', body: 'old', mtime: new Date('2026-11-21T16:00:00.750Z') },
  { path: 'config/new', body: 'newer', mtime: new Date('2026-11-21T16:00:05Z') },
  { path: `config/${'long'.repeat(80)}`, body: '' },
];

test('a foreign reader sees regular files, newest first, with the operator’s mode and owner', () => {
  const entries = listed(gunzipSync(packArchive(files)));
  assert.deepEqual(
    entries.map(({ path, type, mode, uid, gid, size, mtime }) => ({
      path,
      type,
      mode,
      uid,
      gid,
      size,
      mtime: mtime?.toISOString(),
    })),
    [
      { path: 'config/new', size: 5, mtime: '2026-11-21T16:00:05.000Z' },
      { path: 'config/old', size: 3, mtime: '2026-11-21T16:00:00.000Z' },
      { path: `config/${'long'.repeat(80)}`, size: 0, mtime: '1970-01-01T00:00:00.000Z' },
    ].map((entry) => ({ ...entry, type: 'File', mode: 0o640, uid: 0, gid: 0 })),
  );
});

test('equal files make equal archives', () => {
  assert.deepEqual(packArchive(files), packArchive(files));
});

test('the plain tar is what the gzip file holds', () => {
  assert.deepEqual(gunzipSync(packArchive(files)), packTar(files));
});
