/** Which kind of file the first bytes announce. The name and the announced content type are never trusted. */

import { blockBytes, readTarHeader } from './tar-header.ts';

/** How many bytes `archiveFormat` wants to see: one tar header. */
export const sniffBytes = blockBytes;

export type ArchiveFormat =
  | { readonly kind: 'gzip' }
  | { readonly kind: 'tar' }
  | { readonly kind: 'other'; readonly mime: string };

const magics: readonly { readonly mime: string; readonly bytes: readonly number[] }[] = [
  { mime: 'application/zip', bytes: [0x50, 0x4b, 0x03, 0x04] },
  { mime: 'application/zip', bytes: [0x50, 0x4b, 0x05, 0x06] },
  { mime: 'application/x-bzip2', bytes: [0x42, 0x5a, 0x68] },
  { mime: 'application/x-xz', bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { mime: 'application/zstd', bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { mime: 'application/x-7z-compressed', bytes: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c] },
  { mime: 'application/x-rar', bytes: [0x52, 0x61, 0x72, 0x21] },
  { mime: 'text/xml', bytes: [0x3c, 0x3f, 0x78, 0x6d, 0x6c] },
  { mime: 'text/html', bytes: [0x3c, 0x21, 0x64, 0x6f] },
  { mime: 'text/html', bytes: [0x3c, 0x68, 0x74, 0x6d, 0x6c] },
];

/** `head`: the first `sniffBytes` bytes, fewer only where the file is shorter. */
export function archiveFormat(head: Buffer): ArchiveFormat {
  // Two bytes suffice: no other format starts so, and a file cut behind them is a truncated gzip, not an unknown kind.
  if (startsWith(head, [0x1f, 0x8b])) return { kind: 'gzip' };
  // By checksum and not by the word `ustar`, which the oldest kind of tar lacks.
  if (head.length >= blockBytes && readTarHeader(head.subarray(0, blockBytes)) !== undefined) return { kind: 'tar' };
  return {
    kind: 'other',
    mime: magics.find(({ bytes }) => startsWith(head, bytes))?.mime ?? 'application/octet-stream',
  };
}

function startsWith(head: Buffer, bytes: readonly number[]): boolean {
  return head.length >= bytes.length && bytes.every((byte, at) => head[at] === byte);
}
