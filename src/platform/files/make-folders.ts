/**
 * Folders with their parents, for whatever writes into a folder that a person names. Level by level and not by Node's recursive `mkdir`,
 * which goes round for ever where a folder that is there takes none (`/proc`), and calls a read-only file system missing.
 */
import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Resolves to the first folder that was made; undefined where all were there. `mode` is that of each new one, 0o777 without it. Rejects
 * with the system's error about the level that is in the way: `ENOTDIR`, `EACCES`, `EROFS`, or `ENOENT` for one that takes no folder.
 */
export async function makeFolders(path: string, mode?: number): Promise<string | undefined> {
  const missing: string[] = [];
  for (let at = resolve(path); !(await isThere(at)); at = dirname(at)) missing.unshift(at);
  for (const folder of missing) {
    await mkdir(folder, mode === undefined ? {} : { mode }).catch((error: unknown) => {
      // Another process was faster.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    });
  }
  return missing[0];
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
