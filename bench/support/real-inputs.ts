/** Files that others made, beside the repository; benchmarks measure them too where they are. */
import { readFile } from 'node:fs/promises';

const folder = new URL('../../../shared/data/', import.meta.url);

/** Undefined where the folder, or the file, is absent. */
export async function readRealInput(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(new URL(path, folder));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
