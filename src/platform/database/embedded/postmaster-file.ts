/**
 * `postmaster.pid`, the file by which a PostgreSQL server says that it owns a data folder, and what can be learnt about the process it
 * names. Source: PostgreSQL's miscadmin.h, LOCK_FILE_LINE_*.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chown, readdir, readFile, readlink, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface PostmasterFile {
  readonly pid: number;
  readonly dataFolder: string;
  /** Seconds since the epoch. */
  readonly startedAt: number;
  readonly port: number;
  /** `starting`, `stopping`, `ready`, `standby`; empty while the file is being written. */
  readonly status: string;
}

/** Undefined when there is none or it is still being written. */
export async function readPostmasterFile(dataFolder: string): Promise<PostmasterFile | undefined> {
  const text = await readFile(join(dataFolder, 'postmaster.pid'), 'utf8').catch(() => '');
  return parsePostmasterFile(text);
}

export function parsePostmasterFile(text: string): PostmasterFile | undefined {
  const lines = text.split('\n').map((line) => line.trim());
  const pid = Number(lines[0]);
  const startedAt = Number(lines[2]);
  const port = Number(lines[3]);
  if (
    lines.length < 4 ||
    !Number.isInteger(pid) ||
    pid <= 0 ||
    !Number.isInteger(startedAt) ||
    !Number.isInteger(port)
  ) {
    return undefined;
  }
  return { pid, dataFolder: lines[1]!, startedAt, port, status: lines[7] ?? '' };
}

/**
 * Lets the next server of the folder take the file for what it is, the leftover of one that is gone, although a process has the number
 * `pid` that it names: a stranger, or the dead server itself while nobody has collected it. PostgreSQL takes the number of its own parent,
 * ours, for such a leftover. The file stays: by it PostgreSQL also sees whether processes of the old server still use its memory.
 */
export async function disownPostmasterFile(dataFolder: string, pid: number): Promise<void> {
  if (!exists(pid)) return;
  const path = join(dataFolder, 'postmaster.pid');
  const text = await readFile(path, 'utf8').catch(() => '');
  // Another start may have replaced it meanwhile.
  if (Number(text.split('\n')[0]) !== pid) return;
  // Beside it and renamed: on a full disk it would otherwise be left empty, which no server takes for a leftover.
  const { uid, gid, mode } = await stat(path);
  const next = `${path}.ccx`;
  try {
    await writeFile(next, text.replace(/^.*/, String(process.pid)), { mode });
    await chown(next, uid, gid);
    await rename(next, path);
  } finally {
    await rm(next, { force: true });
  }
}

/**
 * Removes a file that says nothing, empty or cut short by a full disk or the loss of power, which PostgreSQL refuses to start over. False
 * where it says something, or where a server works in the folder all the same.
 */
export async function removeTornPostmasterFile(dataFolder: string): Promise<boolean> {
  const path = join(dataFolder, 'postmaster.pid');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined || parsePostmasterFile(text) !== undefined) return false;
  if (await hasServer(dataFolder)) return false;
  await rm(path, { force: true });
  return true;
}

/** A process of another user counts as alive; one that ended but was not collected by its parent yet does not. */
export function isAlive(pid: number): boolean {
  if (!exists(pid)) return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return true;
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether any process of a PostgreSQL server works in `dataFolder`. */
async function hasServer(dataFolder: string): Promise<boolean> {
  if (process.platform === 'linux') {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    return (await Promise.all(pids.map((pid) => servesFolder(Number(pid), dataFolder)))).includes(true);
  }
  return hasServerAmong(['-axo', 'command='], dataFolder);
}

/** Asks `ps`, where there is no `/proc`. */
function hasServerAmong(psArguments: readonly string[], dataFolder: string): Promise<boolean> {
  return new Promise((resolve) => {
    execFile('ps', psArguments, (_error, output) => {
      resolve(output.split('\n').some((line) => line.includes('postgres') && line.includes(dataFolder)));
    });
  });
}

/** Whether `pid` is a PostgreSQL server working in `dataFolder` and not a stranger that got a recycled number. */
export async function servesFolder(pid: number, dataFolder: string): Promise<boolean> {
  if (process.platform === 'linux') {
    // The server makes its data folder the working directory.
    const [folder, program] = await Promise.all([
      readlink(`/proc/${pid}/cwd`).catch(() => ''),
      readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
    ]);
    return folder === dataFolder && program.includes('postgres');
  }
  return hasServerAmong(['-o', 'command=', '-p', String(pid)], dataFolder);
}
