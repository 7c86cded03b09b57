/**
 * How much memory another process holds, seen from outside: a process in a busy loop cannot be asked. Linux answers from /proc in
 * microseconds; elsewhere `ps` is started, so there the watcher is coarser.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/** Bytes in memory and in swap, or undefined when the process is gone or nobody can tell. */
export type ReadMemory = (pid: number) => Promise<number | undefined>;

export function memoryReader(platform: NodeJS.Platform): ReadMemory {
  return platform === 'linux' ? readFromProc : readFromPs;
}

/** `VmRSS` and `VmSwap` are in kB whatever the page size is, unlike the columns of `statm`. */
async function readFromProc(pid: number): Promise<number | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(status);
    if (resident === null) return undefined;
    const swapped = /^VmSwap:\s+(\d+) kB$/m.exec(status);
    return (Number(resident[1]) + Number(swapped?.[1] ?? 0)) * 1024;
  } catch {
    return undefined;
  }
}

/** POSIX: resident set in kB. */
export function readFromPs(pid: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    execFile('ps', ['-o', 'rss=', '-p', String(pid)], (error, stdout) => {
      const kilobytes = Number(stdout.trim());
      resolve(error === null && stdout.trim() !== '' && Number.isFinite(kilobytes) ? kilobytes * 1024 : undefined);
    });
  });
}
