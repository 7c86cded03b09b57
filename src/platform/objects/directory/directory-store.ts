/**
 * Objects as files in one directory: the embedded default, and the reference's `filebased` staging. Opened by the roles that hold
 * archives; ingress serves the files at `/download/{id}`.
 *
 * Durable means: the file and its folder were fsynced before `put` resolves, so an object survives the loss of power. A file appears under
 * its name only when it is complete. Where the name does not tell the key, the key lies beside it in `<name>.meta`, written first; stores of
 * releases up to 0.1.0 have such a file beside each archive, which goes with it.
 */
import { access, constants, type FileHandle, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../clock/clock.ts';
import { checkObjectKey, objectsUnavailable } from '../object-errors.ts';
import type { ByteRange, ObjectStore, StoredObject } from '../object-store.ts';
import { type FilePlace, folders, isObjectName, keyOfPlace, placeOfKey } from './file-name.ts';
import { type DiskSpace, FreeSpace } from './free-space.ts';
import { enforceRetention, type RetentionReport } from './retention.ts';
import { makeFolder, openTemporaryFolder, type TemporaryFolder } from './temporary-folder.ts';

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
  readonly freeBytesMin?: number | undefined;
  /** How long, and how much in all, archives are kept; the oldest go first. The reserved folders are not touched. */
  readonly retention?: { readonly ageMs: number; readonly totalBytes: number };
  /** Told after each run of the retention, also of one that failed. Must not throw. */
  readonly onRetention?: (report: RetentionReport | CcxError) => void;
  /** What is left on the disk of a path; replaced in tests. */
  readonly space?: (path: string) => Promise<DiskSpace>;
}

const fileMode = 0o640;

/** Code of what it rejects with: `OBJECTS_UNAVAILABLE`. */
export async function openDirectoryStore(options: DirectoryStoreOptions): Promise<DirectoryObjectStore> {
  try {
    for (const folder of ['', ...folders]) await makeFolder(join(options.path, folder));
    const temporary = await openTemporaryFolder(options.path, options.clock);
    const root = await open(options.path, 'r');
    await root.sync();
    return new DirectoryObjectStore(options, { temporary, root });
  } catch (cause) {
    throw objectsUnavailable(`be opened in ${options.path}`, cause);
  }
}

export class DirectoryObjectStore implements ObjectStore {
  /** Absolute or relative, as it was opened. */
  readonly path: string;
  readonly #options: DirectoryStoreOptions;
  readonly #temporary: TemporaryFolder;
  /** Open for as long as the store is. Whoever puts another folder in its place puts one without our folder for unfinished files there. */
  readonly #root: FileHandle;
  readonly #space: FreeSpace;
  readonly #stopRetention: () => void;
  /** The end of the last change of each key that is being changed: two uploads of one id must not mix their files. */
  readonly #changes = new Map<string, Promise<void>>();
  #temporaryFiles = 0;

  constructor(
    options: DirectoryStoreOptions,
    { temporary, root }: { readonly temporary: TemporaryFolder; readonly root: FileHandle },
  ) {
    this.path = options.path;
    this.#options = options;
    this.#temporary = temporary;
    this.#root = root;
    this.#space = new FreeSpace(options);
    this.#stopRetention = options.clock.every(retentionEveryMs, async () => {
      await this.enforceRetention().catch((error: unknown) => {
        options.onRetention?.(error instanceof CcxError ? error : objectsUnavailable('remove old objects', error));
      });
    });
  }

  readonly freeBytes = () => this.#space.bytes();

  async put(key: string, body: Readable | Buffer): Promise<void> {
    // A stream that fails before anybody reads it would otherwise be an uncaught exception; reading it reports the error.
    if (!Buffer.isBuffer(body)) body.on('error', () => undefined);
    const temporary = this.#temporaryPath();
    let sidecar: string | undefined;
    try {
      checkObjectKey(key);
      const place = placeOfKey(key);
      if (Buffer.isBuffer(body)) {
        await this.#space.require(body.length);
        await writeDurably(temporary, body);
      } else {
        await this.#space.require(0);
        await this.#writeStream(temporary, body);
      }
      if (place.hashed) {
        sidecar = this.#temporaryPath();
        // A few bytes, for which the disk is not looked at again.
        await writeDurably(sidecar, Buffer.from(JSON.stringify({ key })));
      }
      await this.#exclusively(key, async () => {
        if (sidecar !== undefined) await rename(sidecar, this.#sidecarPath(place));
        await rename(temporary, this.#objectPath(place));
        await this.#syncFolderOf(place);
      });
    } catch (error) {
      if (!Buffer.isBuffer(body)) body.destroy();
      // On a disk that cannot be written it stays, and is swept when a store opens here.
      for (const path of [temporary, sidecar])
        if (path !== undefined) await rm(path, { force: true }).catch(() => undefined);
      throw await this.#asStoreError(error, `store ${JSON.stringify(key)}`);
    }
  }

  async get(key: string, range?: ByteRange): ReturnType<ObjectStore['get']> {
    const handle = await this.openFile(key);
    if (handle === undefined) return undefined;
    try {
      const found = await handle.stat();
      return {
        object: { key, sizeBytes: found.size, storedAt: found.mtime },
        body: handle.createReadStream({ start: range?.start, end: range?.endInclusive }),
      };
    } catch (error) {
      await handle.close();
      throw await this.#asStoreError(error, `read ${JSON.stringify(key)}`);
    }
  }

  async openFile(key: string): Promise<FileHandle | undefined> {
    checkObjectKey(key);
    try {
      return await open(this.#objectPath(placeOfKey(key)), 'r');
    } catch (error) {
      if (isMissing(error)) return undefined;
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
        await this.#syncFolderOf(place);
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
        const key = keyOfPlace(folder, name) ?? (await this.#keyBeside(place));
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
    await this.#space.look();
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
    await this.#root.close();
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

  /** Writes and fsyncs; the source's own error passes unchanged. */
  async #writeStream(path: string, body: Readable): Promise<void> {
    const handle = await open(path, 'wx', fileMode);
    try {
      let uncheckedBytes = 0;
      for await (const chunk of body) {
        const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
        for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten;
        uncheckedBytes += bytes.length;
        if (uncheckedBytes < freeCheckedEveryBytes) continue;
        await this.#space.look();
        uncheckedBytes = 0;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** A rename is durable once its folder is. */
  async #syncFolderOf({ folder }: FilePlace): Promise<void> {
    if (folder === '') await this.#root.sync();
    else await syncFolder(join(this.path, folder));
  }

  /** Undefined where there is none. */
  async #keyBeside(place: FilePlace): Promise<string | undefined> {
    try {
      return (JSON.parse(await readFile(this.#sidecarPath(place), 'utf8')) as { readonly key?: string }).key;
    } catch (error) {
      if (isMissing(error)) return undefined;
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
    return await this.#space.fullBecause(error);
  }
}

/** One file, whole and synced. */
async function writeDurably(path: string, body: Buffer): Promise<void> {
  const handle = await open(path, 'wx', fileMode);
  try {
    for (let at = 0; at < body.length; ) at += (await handle.write(body, at)).bytesWritten;
    await handle.sync();
  } finally {
    await handle.close();
  }
}

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
