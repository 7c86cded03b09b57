/** The ways in which an object store fails, told alike by every adapter. */
import { CcxError } from '../../contracts/ccx-error.ts';
import { keyBytesMax } from './limits.ts';

/** Throws `OBJECTS_KEY_INVALID` for a key that not every adapter can hold. */
export function checkObjectKey(key: string): void {
  if (
    key === '' ||
    key.endsWith('/') ||
    Buffer.byteLength(key) > keyBytesMax ||
    !key.isWellFormed() ||
    key.includes('\0')
  ) {
    throw new CcxError(`not a key of an object: ${JSON.stringify(key.slice(0, 80))}`, {
      code: 'OBJECTS_KEY_INVALID',
      category: 'input',
    });
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
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

export function objectsUnavailable(what: string, cause: unknown): CcxError {
  return new CcxError(`the object store cannot ${what}`, {
    code: 'OBJECTS_UNAVAILABLE',
    category: 'storage',
    retryable: true,
    cause,
  });
}
