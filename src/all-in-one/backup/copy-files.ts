/** What lies in a data folder beside PostgreSQL, copied into a backup and back. Used by `take-backup.ts` and `restore-backup.ts`. */
import { createReadStream } from 'node:fs';
import { chmod, mkdir, readdir, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BackupFile, damaged, syncFolder, writeFileOfBackup } from './backup-folder.ts';

interface CopiedFile extends BackupFile {
  readonly mode: number;
  readonly modified_ms: number;
}

/** Into a folder that is made as its parents are: closed to others. */
export class FileCopier {
  readonly #from: string;
  readonly #to: string;
  readonly #signal: AbortSignal;
  readonly #copied = new Map<string, CopiedFile>();
  readonly #folders = new Set<string>();

  constructor(from: string, to: string, signal: AbortSignal) {
    this.#from = from;
    this.#to = to;
    this.#signal = signal;
  }

  get copied(): readonly CopiedFile[] {
    return [...this.#copied.values()];
  }

  /** `path` is relative. False where there is no such file (any more); what was copied before stays as it was then. */
  async copy(path: string): Promise<boolean> {
    if (this.#copied.has(path)) return true;
    const source = join(this.#from, path);
    const found = await stat(source).catch(unlessMissing);
    if (found === undefined) return false;
    await this.#makeFolder(dirname(path));
    const mode = found.mode & 0o777;
    const stream = createReadStream(source);
    const written = await writeFileOfBackup(join(this.#to, path), [stream], { signal: this.#signal }).catch(
      unlessMissing,
    );
    if (written === undefined) return false;
    this.#copied.set(path, { path, ...written, mode, modified_ms: found.mtimeMs });
    return true;
  }

  /** What was written survives the loss of power afterwards. */
  async sync(): Promise<void> {
    for (const folder of this.#folders) await syncFolder(join(this.#to, folder));
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#folders.has(folder)) return;
    await mkdir(join(this.#to, folder), { recursive: true, mode: 0o700 });
    for (let at = folder; !this.#folders.has(at); at = dirname(at)) this.#folders.add(at);
  }
}

/**
 * Files of a backup as they lay in the data folder, with their modes and ages: by those retention goes. Code: `BACKUP_DAMAGED`, where they
 * are not what was checked before.
 */
export async function putFilesBack(
  files: readonly BackupFile[],
  { from, to, signal }: { readonly from: string; readonly to: string; readonly signal: AbortSignal },
): Promise<void> {
  const folders = new Set<string>();
  for (const { path, bytes, sha256, mode = 0o600, modified_ms } of files) {
    const target = join(to, path);
    if (!folders.has(dirname(target))) {
      await mkdir(dirname(target), { recursive: true, mode: 0o750 });
      for (let at = dirname(target); at !== dirname(to) && !folders.has(at); at = dirname(at)) folders.add(at);
    }
    const written = await writeFileOfBackup(target, [createReadStream(join(from, path))], { signal });
    if (written.bytes !== bytes || written.sha256 !== sha256) throw damaged(`${path} has changed since it was checked`);
    await chmod(target, mode);
    if (modified_ms !== undefined) await utimes(target, modified_ms / 1000, modified_ms / 1000);
  }
  for (const folder of folders) await syncFolder(folder);
}

/** Relative paths of all files below a folder; none where there is no folder. Left out: what `wanted` says no to, files and folders. */
export async function filesBelow(
  root: string,
  folder: string,
  wanted: (path: string) => boolean = () => true,
): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(unlessMissing);
  const found: string[] = [];
  for (const entry of entries ?? []) {
    const path = join(folder, entry.name);
    if (!wanted(path)) continue;
    if (entry.isDirectory()) found.push(...(await filesBelow(root, path, wanted)));
    else if (entry.isFile()) found.push(path);
  }
  return found;
}

export async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(unlessMissing))?.size ?? 0;
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
