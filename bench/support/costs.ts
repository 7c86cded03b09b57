/**
 * What work costs besides time: processor time (user and system) of a process, of its children and of a PostgreSQL server, apart, and the
 * most memory that was resident. Read from Linux' `/proc`, so that nothing that is measured knows of it; all zero where there is none.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Database } from '../../src/platform/database/database.ts';

/** Whose costs are read, by process ids. */
export interface Watched {
  readonly process: number;
  /** The postmaster; see `postmasterOf`. */
  readonly server?: number | undefined;
}

/** Milliseconds since each was started. */
export interface CpuTimes {
  /** All its threads. */
  readonly process: number;
  /** Descendants that live, and those that have ended and were waited for. Brokers and database servers are not among them. */
  readonly children: number;
  /** The postmaster with all its backends, those that have ended included. */
  readonly server: number;
}

export interface PeakMebibytes {
  readonly process: number;
  /** Of the children that live now, the peaks of all added up: no more than they ever held together. */
  readonly children: number;
}

/** Of the clock that `/proc` counts in, on every Linux that there is. */
const msPerTick = 10;
/** Engines that a benchmark starts stand below it and are no part of what it measures. */
const engines: ReadonlySet<string> = new Set(['java', 'postgres']);

interface ProcessTimes {
  readonly ownMs: number;
  /** Of children, and theirs, that were waited for. */
  readonly endedMs: number;
}

export function cpuTimes({ process, server }: Watched): CpuTimes {
  const all = processes();
  const times = timesOf(process);
  const below = descendants(all, process).map(timesOf);
  const backends = server === undefined ? [] : [server, ...descendants(all, server, new Set())].map(timesOf);
  return {
    process: times.ownMs,
    children: times.endedMs + below.reduce((sum, { ownMs, endedMs }) => sum + ownMs + endedMs, 0),
    server: backends.reduce((sum, { ownMs, endedMs }) => sum + ownMs + endedMs, 0),
  };
}

export function cpuSince(watched: Watched, before: CpuTimes): CpuTimes {
  const now = cpuTimes(watched);
  return {
    process: now.process - before.process,
    children: now.children - before.children,
    server: now.server - before.server,
  };
}

/** Since each was started, or since `forgetPeaks`. */
export function peakMebibytes({ process }: Watched): PeakMebibytes {
  const below = descendants(processes(), process);
  return { process: peakOf(process), children: below.reduce((sum, pid) => sum + peakOf(pid), 0) };
}

/** From now on the peak is what is resident now, or more. */
export function forgetPeaks({ process }: Watched): void {
  for (const pid of [process, ...descendants(processes(), process)]) {
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, '5');
    } catch {
      // Ended meanwhile, or another system.
    }
  }
}

/** Of a server on this machine: the parent of the process that answers us. Undefined where `/proc` does not know it. */
export async function postmasterOf(database: Database): Promise<number | undefined> {
  const { rows } = await database.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const backend = processes().find(({ pid, command }) => pid === rows[0]!.pid && command === 'postgres');
  return backend?.parent;
}

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function processes(): ProcessEntry[] {
  let names: readonly string[];
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const stat = statOf(Number(name));
    return stat === undefined ? [] : [{ pid: Number(name), parent: Number(stat.fields[1]), command: stat.command }];
  });
}

/** Below an engine nobody looks further. */
function descendants(all: readonly ProcessEntry[], root: number, leftOut = engines): number[] {
  const children = all.filter(({ parent, command }) => parent === root && !leftOut.has(command)).map(({ pid }) => pid);
  return children.flatMap((pid) => [pid, ...descendants(all, pid, leftOut)]);
}

function timesOf(pid: number): ProcessTimes {
  const stat = statOf(pid);
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = (stat?.fields ?? []).slice(11, 15).map(Number);
  return { ownMs: (user + system) * msPerTick, endedMs: (endedUser + endedSystem) * msPerTick };
}

/** `fields` are those behind the name: the state, the parent, and so on (`man 5 proc_pid_stat`). */
function statOf(pid: number): { readonly command: string; readonly fields: readonly string[] } | undefined {
  const text = procFile(pid, 'stat');
  // The name of the process, which may hold anything, ends with the last bracket.
  const end = text.lastIndexOf(')');
  if (end === -1) return undefined;
  return { command: text.slice(text.indexOf('(') + 1, end), fields: text.slice(end + 2).split(' ') };
}

function peakOf(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(procFile(pid, 'status'))?.[1] ?? 0) / 1024;
}

function procFile(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}
