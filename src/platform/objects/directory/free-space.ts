/**
 * Whether the disk of a directory takes another object. Asking the system costs as much as a write, so it is asked once a second, and by every
 * object where little is left. Owned by `directory-store.ts`.
 */
import { statfs } from 'node:fs/promises';
import type { CcxError } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../clock/clock.ts';
import { freeInodesMin, objectsDiskFull, objectsInodesUsedUp } from '../object-errors.ts';

/** A disk with less is "nearly full": PostgreSQL may lie on it, too, and must not run out of it because of archives. */
const freeBytesMinDefault = 512 * 1024 ** 2;
/** How long an answer of the system holds where it leaves room for what others write meanwhile. */
export const spaceHoldsMs = 1_000;
const othersBytesMax = 256 * 1024 ** 2;
const othersInodesMax = 10_000;

export interface DiskSpace {
  readonly freeBytes: number;
  /** Undefined where the file system makes as many as it likes. */
  readonly freeInodes: number | undefined;
}

interface FreeSpaceOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly freeBytesMin?: number | undefined;
  /** What is left on the disk of a path; replaced in tests. */
  readonly space?: ((path: string) => Promise<DiskSpace>) | undefined;
}

export class FreeSpace {
  readonly #options: FreeSpaceOptions;
  readonly #freeBytesMin: number;
  /** Of the last look: until when it holds, and for how many bytes more. */
  #holdsUntilMs = Number.NEGATIVE_INFINITY;
  #spareBytes = 0;

  constructor(options: FreeSpaceOptions) {
    this.#options = options;
    this.#freeBytesMin = options.freeBytesMin ?? freeBytesMinDefault;
  }

  /** Rejects with `OBJECTS_DISK_FULL` or `OBJECTS_INODES_FULL` where an object of that size has no room. */
  async require(bytes: number): Promise<void> {
    if (this.#options.clock.monotonicMs() >= this.#holdsUntilMs || bytes > this.#spareBytes) await this.look(bytes);
    this.#spareBytes -= bytes;
  }

  /** The same, by what the system says now. */
  async look(bytes = 0): Promise<void> {
    const { path, clock } = this.#options;
    const { freeBytes, freeInodes = Number.POSITIVE_INFINITY } = await this.#ask();
    if (freeBytes - bytes < this.#freeBytesMin) throw objectsDiskFull(path, freeBytes, this.#freeBytesMin);
    if (freeInodes < freeInodesMin) throw objectsInodesUsedUp(path, freeInodes);
    this.#spareBytes = freeBytes - this.#freeBytesMin - othersBytesMax;
    const isAmple = this.#spareBytes > 0 && freeInodes > freeInodesMin + othersInodesMax;
    this.#holdsUntilMs = isAmple ? clock.monotonicMs() + spaceHoldsMs : Number.NEGATIVE_INFINITY;
  }

  /** What is left, for whoever watches. */
  async bytes(): Promise<number> {
    return (await this.#ask()).freeBytes;
  }

  /** What a disk that refused a write lacks: the system has one code for both. */
  async fullBecause(cause: unknown): Promise<CcxError> {
    const { path } = this.#options;
    const { freeBytes, freeInodes } = await this.#ask().catch(() => ({ freeBytes: 0, freeInodes: undefined }));
    if (freeInodes !== undefined && freeInodes < freeInodesMin) return objectsInodesUsedUp(path, freeInodes, cause);
    return objectsDiskFull(path, freeBytes, this.#freeBytesMin, cause);
  }

  async #ask(): Promise<DiskSpace> {
    return await (this.#options.space ?? spaceOfDisk)(this.#options.path);
  }
}

async function spaceOfDisk(path: string): Promise<DiskSpace> {
  const disk = await statfs(path);
  return { freeBytes: disk.bavail * disk.bsize, freeInodes: disk.files === 0 ? undefined : disk.ffree };
}
