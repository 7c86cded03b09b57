/**
 * Objects as files in one directory: the embedded default, and the reference's `filebased` staging. Opened by the roles that hold
 * archives; ingress serves the files at `/download/{id}`.
 *
 * Durable means: the file and its folder were fsynced before `put` resolves, so an object survives the loss of power. A file appears under
 * its name only when it is complete. Content type and labels lie beside it in `<name>.meta`, written first.
 */
import {
  access,
  constants,
  type FileHandle,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../clock/clock.ts';
import {
  checkObjectKey,
  freeInodesMin,
  objectsDiskFull,
  objectsInodesUsedUp,
  objectsUnavailable,
} from '../object-errors.ts';
import type { ByteRange, ObjectMetadata, ObjectStore, StoredObject } from '../object-store.ts';
import { type FilePlace, folders, isObjectName, keyOfPlace, placeOfKey } from './file-name.ts';
import { enforceRetention, type RetentionReport } from './retention.ts';
import { makeFolder, openTemporaryFolder, type TemporaryFolder } from './temporary-folder.ts';

/** A disk with less is "nearly full": PostgreSQL may lie on it, too, and must not run out of it because of archives. */
const freeBytesMin = 512 * 1024 ** 2;
/** How much one stream may write between two looks at the disk. */
export const freeCheckedEveryBytes = 4 * 1024 ** 2;
/** Links live 24 h and a pipeline that was away for a weekend still finds its archives. */
const retentionAgeMs = 72 * 3_600_000;
/** A hundred thousand ordinary archives. */
const retentionTotalBytes = 10 * 1024 ** 3;

export const retentionEveryMs = 5 * 60_000;

export interface DirectoryStoreOptions {
  /** Created when missing. */
  readonly path: string;
  readonly clock: Clock;
  /** Nothing more is stored when less is free on the disk. */
  readonly freeBytesMin?: number;
  /** How long, and how much in all, archives are kept; the oldest go first. The reserved folders are not touched. */
  readonly retention?: { readonly ageMs: number; readonly totalBytes: number };
  /** Told after each run of the retention, also of one that failed. Must not throw. */
  readonly onRetention?: (report: RetentionReport | CcxError) => void;
  /** What is left on the disk of a path; replaced in tests. */
  readonly space?: (path: string) => Promise<DiskSpace>;
}

interface DiskSpace {
  readonly freeBytes: number;
  /** Undefined where the file system makes as many as it likes. */
  readonly freeInodes: number | undefined;
}

/** Code of what it rejects with: `OBJECTS_UNAVAILABLE`. */
export async function openDirectoryStore(options: DirectoryStoreOptions): Promise<DirectoryObjectStore> {
  try {
    for (const folder of ['', ...folders]) await makeFolder(join(options.path, folder));
    const temporary = await openTemporaryFolder(options.path, options.clock);
    await syncFolder(options.path);
    return new DirectoryObjectStore(options, temporary);
  } catch (cause) {
    throw objectsUnavailable(`be opened in ${options.path}`, cause);
  }
}

export class DirectoryObjectStore implements ObjectStore {
  /** Absolute or relative, as it was opened. */
  readonly path: string;
  readonly #options: DirectoryStoreOptions;
  readonly #temporary: TemporaryFolder;
  readonly #freeBytesMin: number;
  readonly #stopRetention: () => void;
  /** The end of the last change of each key that is being changed: two uploads of one id must not mix their files. */
  readonly #changes = new Map<string, Promise<void>>();
  #temporaryFiles = 0;

  constructor(options: DirectoryStoreOptions, temporary: TemporaryFolder) {
    this.path = options.path;
    this.#options = options;
    this.#temporary = temporary;
    this.#freeBytesMin = options.freeBytesMin ?? freeBytesMin;
    this.#stopRetention = options.clock.every(retentionEveryMs, async () => {
      await this.enforceRetention().catch((error: unknown) => {
        options.onRetention?.(error instanceof CcxError ? error : objectsUnavailable('remove old objects', error));
      });
    });
  }

  async put(key: string, body: Readable | Buffer, metadata: ObjectMetadata = {}): Promise<StoredObject> {
    // A stream that fails before anybody reads it would otherwise be an uncaught exception; reading it reports the error.
    if (!Buffer.isBuffer(body)) body.on('error', () => undefined);
    const temporary = this.#temporaryPath();
    let sidecar: string | undefined;
    try {
      checkObjectKey(key);
      const place = placeOfKey(key);
      const { sizeBytes, storedAt } = await this.#writeFile(temporary, body);
      if (place.hashed || metadata.contentType !== undefined || metadata.labels !== undefined) {
        sidecar = this.#temporaryPath();
        await writeSidecar(sidecar, { key, ...metadata });
      }
      await this.#exclusively(key, async () => {
        if (sidecar === undefined) await rm(this.#sidecarPath(place), { force: true });
        else await rename(sidecar, this.#sidecarPath(place));
        await rename(temporary, this.#objectPath(place));
        await syncFolder(join(this.path, place.folder));
      });
      return { key, sizeBytes, storedAt, ...metadata };
    } catch (error) {
      if (!Buffer.isBuffer(body)) body.destroy();
      // On a disk that cannot be written it stays, and is swept when a store opens here.
      for (const path of [temporary, sidecar])
        if (path !== undefined) await rm(path, { force: true }).catch(() => undefined);
      throw await this.#asStoreError(error, `store ${JSON.stringify(key)}`);
    }
  }

  async get(key: string, range?: ByteRange): ReturnType<ObjectStore['get']> {
    checkObjectKey(key);
    const place = placeOfKey(key);
    let handle: FileHandle;
    try {
      handle = await open(this.#objectPath(place), 'r');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw await this.#asStoreError(error, `read ${JSON.stringify(key)}`);
    }
    try {
      const found = await handle.stat();
      return {
        object: { ...(await this.#readSidecar(place)), key, sizeBytes: found.size, storedAt: found.mtime },
        body: handle.createReadStream({ start: range?.start, end: range?.endInclusive }),
      };
    } catch (error) {
      await handle.close();
      throw await this.#asStoreError(error, `read ${JSON.stringify(key)}`);
    }
  }

  async delete(key: string): Promise<void> {
    checkObjectKey(key);
    const place = placeOfKey(key);
    try {
      await this.#exclusively(key, async () => {
        await rm(this.#objectPath(place), { force: true });
        await rm(this.#sidecarPath(place), { force: true });
        await syncFolder(join(this.path, place.folder));
      });
    } catch (error) {
      throw await this.#asStoreError(error, `delete ${JSON.stringify(key)}`);
    }
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    const found: { readonly key: string; readonly order: Buffer; readonly place: FilePlace }[] = [];
    for (const folder of ['', ...folders]) {
      const reach = folder === '' ? '' : `${folder}/`;
      if (folder !== '' && !reach.startsWith(prefix) && !prefix.startsWith(reach)) continue;
      for (const name of await this.#namesIn(folder)) {
        const place = { folder, name, hashed: name.startsWith('%h') };
        const key = keyOfPlace(folder, name) ?? (await this.#readSidecar(place)).key;
        if (key?.startsWith(prefix)) found.push({ key, order: Buffer.from(key, 'utf8'), place });
      }
    }
    found.sort((a, b) => Buffer.compare(a.order, b.order));
    for (const { key, place } of found) {
      const object = await this.#statObject(place);
      // It may have been deleted since the names were read.
      if (object !== undefined) yield { key, ...object };
    }
  }

  async check(): Promise<void> {
    try {
      await access(this.path, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (cause) {
      throw objectsUnavailable(`use ${this.path}`, cause);
    }
    await this.#checkSpace(0);
  }

  /** One run of what otherwise happens every few minutes. */
  async enforceRetention(): Promise<RetentionReport> {
    const report = await enforceRetention({
      path: this.path,
      clock: this.#options.clock,
      limits: this.#options.retention ?? { ageMs: retentionAgeMs, totalBytes: retentionTotalBytes },
    });
    this.#options.onRetention?.(report);
    return report;
  }

  /** Stops the retention and removes unfinished files. Objects stay. */
  async close(): Promise<void> {
    this.#stopRetention();
    await this.#temporary.close();
  }

  #objectPath(place: FilePlace): string {
    return join(this.path, place.folder, place.name);
  }

  #sidecarPath(place: FilePlace): string {
    return `${this.#objectPath(place)}.meta`;
  }

  #temporaryPath(): string {
    this.#temporaryFiles += 1;
    return join(this.#temporary.path, String(this.#temporaryFiles));
  }

  /** Writes and fsyncs; the source's own error passes unchanged. The file's time is the clock's. */
  async #writeFile(path: string, body: Readable | Buffer): Promise<Pick<StoredObject, 'sizeBytes' | 'storedAt'>> {
    await this.#checkSpace(Buffer.isBuffer(body) ? body.length : 0);
    const handle = await open(path, 'wx', 0o640);
    try {
      let written = 0;
      let checkedAt = 0;
      for await (const chunk of Buffer.isBuffer(body) ? [body] : body) {
        const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
        for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten;
        written += bytes.length;
        if (written - checkedAt >= freeCheckedEveryBytes) {
          await this.#checkSpace(0);
          checkedAt = written;
        }
      }
      const storedAt = this.#options.clock.now();
      await handle.utimes(storedAt, storedAt);
      await handle.sync();
      return { sizeBytes: written, storedAt };
    } finally {
      await handle.close();
    }
  }

  async #readSidecar(place: FilePlace): Promise<ObjectMetadata & { readonly key?: string }> {
    try {
      return JSON.parse(await readFile(this.#sidecarPath(place), 'utf8')) as ObjectMetadata;
    } catch (error) {
      if (isMissing(error)) return {};
      throw error;
    }
  }

  async #namesIn(folder: string): Promise<string[]> {
    try {
      const entries = await readdir(join(this.path, folder), { withFileTypes: true });
      return entries.filter((entry) => entry.isFile() && isObjectName(entry.name)).map((entry) => entry.name);
    } catch (error) {
      throw await this.#asStoreError(error, 'list its objects');
    }
  }

  async #statObject(place: FilePlace): Promise<Pick<StoredObject, 'sizeBytes' | 'storedAt'> | undefined> {
    try {
      const found = await stat(this.#objectPath(place));
      return { sizeBytes: found.size, storedAt: found.mtime };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw await this.#asStoreError(error, 'list its objects');
    }
  }

  async #checkSpace(neededBytes: number): Promise<void> {
    const { freeBytes, freeInodes } = await this.#space();
    if (freeBytes - neededBytes < this.#freeBytesMin) throw objectsDiskFull(this.path, freeBytes, this.#freeBytesMin);
    if (freeInodes !== undefined && freeInodes < freeInodesMin) throw objectsInodesUsedUp(this.path, freeInodes);
  }

  async #space(): Promise<DiskSpace> {
    return await (this.#options.space ?? spaceOfDisk)(this.path);
  }

  async #exclusively(key: string, change: () => Promise<void>): Promise<void> {
    const before = this.#changes.get(key) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(change);
    this.#changes.set(key, mine);
    try {
      await mine;
    } finally {
      if (this.#changes.get(key) === mine) this.#changes.delete(key);
    }
  }

  /** Errors of the disk become ours; whatever else (the source of a stream) passes unchanged. */
  async #asStoreError(error: unknown, what: string): Promise<unknown> {
    if (error instanceof CcxError || !(error instanceof Error) || !('syscall' in error)) return error;
    const code = 'code' in error ? error.code : undefined;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') return objectsUnavailable(what, error);
    // One code for both: which of them has run out, the disk says.
    const { freeBytes, freeInodes } = await this.#space().catch(() => ({ freeBytes: 0, freeInodes: undefined }));
    if (freeInodes !== undefined && freeInodes < freeInodesMin)
      return objectsInodesUsedUp(this.path, freeInodes, error);
    return objectsDiskFull(this.path, freeBytes, this.#freeBytesMin, error);
  }
}

async function spaceOfDisk(path: string): Promise<DiskSpace> {
  const disk = await statfs(path);
  return { freeBytes: disk.bavail * disk.bsize, freeInodes: disk.files === 0 ? undefined : disk.ffree };
}

/** What lies beside an archive that is written already: a few bytes, for which the disk is not looked at again. */
async function writeSidecar(path: string, sidecar: ObjectMetadata & { readonly key: string }): Promise<void> {
  const handle = await open(path, 'wx', 0o640);
  try {
    await handle.writeFile(JSON.stringify(sidecar));
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A rename is durable once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
