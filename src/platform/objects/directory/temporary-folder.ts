/**
 * A folder of its own for the unfinished files of one open store, on the same file system as the finished ones. What a killed process
 * left behind is swept when the next one opens the store, without touching a process that is still writing.
 */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../clock/clock.ts';
import { makeFolders } from '../../files/make-folders.ts';

/** Temporary files of another machine on a shared disk, or metadata without an object, are left-overs after this time. */
export const leftOverAgeMs = 3_600_000;

const parentName = '.unfinished';
/** Folders of stores that this process has open: their pid alone does not tell them from those of an earlier process with that pid. */
const openHere = new Set<string>();

export type TemporaryFolder = Awaited<ReturnType<typeof openTemporaryFolder>>;

export async function openTemporaryFolder(root: string, clock: Clock) {
  const parent = join(root, parentName);
  await makeFolder(parent);
  await sweepTemporaryFolders(root, clock);
  const path = await mkdtemp(join(parent, `${hostLabel()}-${process.pid}-`));
  openHere.add(path);
  return {
    path,
    async close() {
      await rm(path, { recursive: true, force: true });
      openHere.delete(path);
    },
  };
}

/** With its parents. */
export async function makeFolder(path: string): Promise<void> {
  await makeFolders(path, 0o750);
}

/** Removes folders whose process is gone. */
export async function sweepTemporaryFolders(root: string, clock: Clock): Promise<void> {
  const parent = join(root, parentName);
  for (const name of await readdir(parent)) {
    const path = join(parent, name);
    if (await isLeftOver(path, name, clock)) await rm(path, { recursive: true, force: true });
  }
}

async function isLeftOver(path: string, name: string, clock: Clock): Promise<boolean> {
  if (openHere.has(path)) return false;
  const [host, pid] = name.split('-');
  if (host === hostLabel()) return Number(pid) === process.pid || !isAlive(Number(pid));
  try {
    return clock.now().getTime() - (await stat(path)).mtimeMs > leftOverAgeMs;
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function hostLabel(): string {
  return hostname().replace(/[^A-Za-z0-9.]/g, '_');
}
