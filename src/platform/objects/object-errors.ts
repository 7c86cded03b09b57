/** The ways in which an object store fails, told alike by every adapter. */
import { CcxError, inputError } from '../../encoding/ccx-error.ts';

/** An upload makes up to two files (archive, announcement); a few uploads more than the last one still fit. */
export const freeInodesMin = 8;

/** S3's limit; the directory keeps to it so that a key that works here works there. */
export const keyBytesMax = 1024;

/**
 * Whether every adapter can hold an object of that key. A server of S3 may read `.`, `..` and nothing between two slashes as a path, which
 * would lead out of where the key seems to lie.
 */
export function isObjectKey(key: string): boolean {
  return (
    Buffer.byteLength(key) <= keyBytesMax &&
    key.isWellFormed() &&
    !key.includes('\0') &&
    !key.split('/').some((segment) => segment === '' || segment === '.' || segment === '..')
  );
}

/** Throws `OBJECTS_KEY_INVALID` for a key that not every adapter can hold. */
export function checkObjectKey(key: string): void {
  if (!isObjectKey(key)) {
    throw inputError('OBJECTS_KEY_INVALID', `not a key of an object: ${JSON.stringify(key.slice(0, 80))}`);
  }
}

export function objectsDiskFull(path: string, freeBytes: number, freeBytesMin: number, cause?: unknown): CcxError {
  return new CcxError(
    `the disk below ${path} is nearly full: ${freeBytes} bytes are free, ${freeBytesMin} are kept free`,
    {
      code: 'OBJECTS_DISK_FULL',
      category: 'storage',
      retryable: true,
      hint: 'give it more room, or lower the age and size that stored archives are kept for',
      cause,
    },
  );
}

export function objectsInodesUsedUp(path: string, freeInodes: number, cause?: unknown): CcxError {
  return new CcxError(
    `the disk below ${path} takes no more files: ${freeInodes} inodes are free, ${freeInodesMin} are needed`,
    {
      code: 'OBJECTS_INODES_FULL',
      category: 'storage',
      retryable: true,
      hint: 'remove small files, make the file system with more inodes (mkfs -N), or lower the age that stored archives are kept for',
      cause,
    },
  );
}

/** What the system says of a disk or a process, told by its cause; anything else is `OBJECTS_UNAVAILABLE`. */
export function objectsUnavailable(what: string, cause: unknown): CcxError {
  const told = toldBySystem[cause instanceof Error && 'code' in cause ? String(cause.code) : ''];
  return new CcxError(`the object store cannot ${what}${told === undefined ? '' : `: ${told.why}`}`, {
    code: told?.code ?? 'OBJECTS_UNAVAILABLE',
    category: 'storage',
    retryable: true,
    cause,
    hint: told?.hint,
  });
}

const noDescriptor = {
  code: 'OBJECTS_DESCRIPTORS',
  why: 'no more files can be opened',
  hint: 'raise the limit of open files (ulimit -n, LimitNOFILE=), or lower web.connections_max',
} as const;

const toldBySystem: Readonly<Record<string, { readonly code: string; readonly why: string; readonly hint: string }>> = {
  EROFS: {
    code: 'OBJECTS_READ_ONLY',
    why: 'its disk is read-only',
    hint: 'look for errors of the disk in the log of the system, and mount it for writing again',
  },
  EMFILE: noDescriptor,
  ENFILE: noDescriptor,
};
