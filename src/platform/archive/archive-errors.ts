/** The ways in which an archive can be bad that are found in more than one place, so that every code has one text. */
import { CcxError, inputError } from '../../encoding/ccx-error.ts';

export function archiveOverLimit(code: string, message: string): CcxError {
  return new CcxError(message, { code, category: 'limit' });
}

export function archiveNotTar(): CcxError {
  return inputError('ARCHIVE_NOT_TAR', 'the gzip file does not hold a tar archive');
}

export function archiveTruncated(where: string, cause?: unknown): CcxError {
  return inputError('ARCHIVE_TRUNCATED', `the archive ends too early: ${where}`, cause);
}

export function archiveCorrupt(what: string, cause?: unknown): CcxError {
  return inputError('ARCHIVE_CORRUPT', `the archive is damaged: ${what}`, cause);
}

export function archiveTrailingData(): CcxError {
  return inputError('ARCHIVE_TRAILING_DATA', 'the archive goes on behind its end mark');
}

export function archivePathUnsafe(path: string, why: string): CcxError {
  return inputError('ARCHIVE_PATH_UNSAFE', `the archive has an entry whose name ${why}: ${shownPath(path)}`);
}

export function archiveUnpackedTooLarge(bytesMax: number): CcxError {
  return archiveOverLimit('ARCHIVE_UNPACKED_TOO_LARGE', `the archive unpacks to more than ${bytesMax} bytes`);
}

export function archiveEntryTooLarge(path: string, bytesMax: number): CcxError {
  const text = `a file in the archive is larger than ${bytesMax} bytes: ${shownPath(path)}`;
  return archiveOverLimit('ARCHIVE_ENTRY_TOO_LARGE', text);
}

export function archiveTooManyEntries(entriesMax: number): CcxError {
  return archiveOverLimit('ARCHIVE_TOO_MANY_ENTRIES', `the archive has more than ${entriesMax} entries`);
}

/** Names come from outside: quoted, so that control characters cannot shape a log, and cut. */
export function shownPath(path: string): string {
  const charactersMax = 120;
  return JSON.stringify(path.length > charactersMax ? `${path.slice(0, charactersMax)}…` : path);
}
