/**
 * The name of a tar entry → a path from the archive's root, or an error. Nothing is ever written to a disk, so a bad name could do no harm
 * here; it is refused because an archive that holds one was made to do harm elsewhere.
 */
import type { ArchiveLimits } from './archive.ts';
import { archivePathTooDeep, archivePathTooLong, archivePathUnsafe } from './archive-errors.ts';

/** Without `./`, doubled and trailing slashes; empty for the root itself. */
export function archivePath(name: string, limits: Pick<ArchiveLimits, 'pathBytesMax' | 'pathDepthMax'>): string {
  if (name.includes('\0')) throw archivePathUnsafe(name, 'holds a NUL');
  if (name.startsWith('/') || name.startsWith('\\')) throw archivePathUnsafe(name, 'is absolute');
  if (/^[A-Za-z]:/.test(name)) throw archivePathUnsafe(name, 'starts with a drive letter');
  if (name.split(/[/\\]/).includes('..')) throw archivePathUnsafe(name, 'leads out of the archive');
  if (Buffer.byteLength(name) > limits.pathBytesMax) throw archivePathTooLong(name, limits.pathBytesMax);

  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length - 1 > limits.pathDepthMax) throw archivePathTooDeep(name, limits.pathDepthMax);
  return parts.join('/');
}
