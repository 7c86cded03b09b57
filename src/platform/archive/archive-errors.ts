/** The ways in which an archive can be bad, one function each, so that every code has one text and one place. */
import { CcxError } from '../../encoding/ccx-error.ts';

function badInput(code: string, message: string, hint?: string, cause?: unknown): CcxError {
  return new CcxError(message, {
    code,
    category: 'input',
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}

function overLimit(code: string, message: string): CcxError {
  return new CcxError(message, { code, category: 'limit' });
}

export function archiveEmpty(): CcxError {
  return badInput('ARCHIVE_EMPTY', 'Empty input archive');
}

/** The text is what the reference says of a file that it cannot unpack (data-pipeline.md 3.3). */
export function archiveFormatUnsupported(mime: string): CcxError {
  return badInput(
    'ARCHIVE_FORMAT_UNSUPPORTED',
    `Invalid content type: "${mime}"`,
    'an archive is a tar file, plain or gzip-compressed',
  );
}

export function archiveNotTar(cause?: unknown): CcxError {
  return badInput('ARCHIVE_NOT_TAR', 'the gzip file does not hold a tar archive', undefined, cause);
}

export function archiveTruncated(where: string, cause?: unknown): CcxError {
  return badInput('ARCHIVE_TRUNCATED', `the archive ends too early: ${where}`, undefined, cause);
}

export function archiveCorrupt(what: string, cause?: unknown): CcxError {
  return badInput('ARCHIVE_CORRUPT', `the archive is damaged: ${what}`, undefined, cause);
}

export function archiveTrailingData(): CcxError {
  return badInput('ARCHIVE_TRAILING_DATA', 'the archive goes on behind its end mark');
}

export function archiveNested(name: string): CcxError {
  return badInput(
    'ARCHIVE_NESTED',
    `an archive of archives: ${JSON.stringify(name)} lies at its top level`,
    'upload the inner archives one by one',
  );
}

/** The text is the reference's (data-pipeline.md 4.1). */
export function archiveNotInsights(detail?: string): CcxError {
  const text = 'Cannot detect execution context';
  return badInput('ARCHIVE_NOT_INSIGHTS', detail === undefined ? text : `${text}: ${detail}`);
}

export function archivePathUnsafe(path: string, why: string): CcxError {
  return badInput('ARCHIVE_PATH_UNSAFE', `the archive has an entry whose name ${why}: ${shown(path)}`);
}

export function archivePathTooLong(path: string, bytesMax: number): CcxError {
  return overLimit('ARCHIVE_PATH_TOO_LONG', `a path in the archive is longer than ${bytesMax} bytes: ${shown(path)}`);
}

export function archivePathTooDeep(path: string, depthMax: number): CcxError {
  return overLimit(
    'ARCHIVE_PATH_TOO_DEEP',
    `a path in the archive has more than ${depthMax} directories: ${shown(path)}`,
  );
}

export function archivePackedTooLarge(bytesMax: number): CcxError {
  return overLimit('ARCHIVE_PACKED_TOO_LARGE', `the archive is larger than ${bytesMax} bytes`);
}

export function archiveUnpackedTooLarge(bytesMax: number): CcxError {
  return overLimit('ARCHIVE_UNPACKED_TOO_LARGE', `the archive unpacks to more than ${bytesMax} bytes`);
}

export function archiveEntryTooLarge(path: string, bytesMax: number): CcxError {
  return overLimit('ARCHIVE_ENTRY_TOO_LARGE', `a file in the archive is larger than ${bytesMax} bytes: ${shown(path)}`);
}

export function archiveTooManyEntries(entriesMax: number): CcxError {
  return overLimit('ARCHIVE_TOO_MANY_ENTRIES', `the archive has more than ${entriesMax} entries`);
}

export function archiveHeaderTooLarge(bytesMax: number): CcxError {
  return overLimit('ARCHIVE_HEADER_TOO_LARGE', `an extended header of the archive is larger than ${bytesMax} bytes`);
}

export function archiveRatio(ratioMax: number): CcxError {
  return overLimit('ARCHIVE_RATIO', `the archive unpacks to more than ${ratioMax} times its size`);
}

/** The bytes stopped coming for a reason that is not the archive's: worth another try. */
export function archiveUnreadable(cause: unknown): CcxError {
  return new CcxError('the archive cannot be read', {
    code: 'ARCHIVE_UNREADABLE',
    category: 'connection',
    retryable: true,
    cause,
  });
}

/** Names come from outside: quoted, so that control characters cannot shape a log, and cut. */
function shown(path: string): string {
  const charactersMax = 120;
  return JSON.stringify(path.length > charactersMax ? `${path.slice(0, charactersMax)}…` : path);
}
