/** Who started whom, for tests that look for processes which outlive the one that should have stopped them. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Process ids of the children of a process, of their children, and so on; those that are dead and not yet reaped are left out. */
export function descendantsOf(pid: number): number[] {
  const children = Map.groupBy(readProcesses(), ({ parent }) => parent);
  const found: number[] = [];
  const visit = (of: number) => {
    for (const { pid: child } of children.get(of) ?? []) {
      found.push(child);
      visit(child);
    }
  };
  visit(pid);
  return found;
}

/** Those of the processes that still run. */
export function stillAlive(pids: readonly number[]): number[] {
  const alive = new Set(readProcesses().map(({ pid }) => pid));
  return pids.filter((pid) => alive.has(pid));
}

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
}

function readProcesses(): ProcessEntry[] {
  if (process.platform !== 'linux') return readFromPs();
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? readFromProc(Number(name)) : []));
}

function readFromProc(pid: number): ProcessEntry[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in brackets may hold anything; behind it come state and parent.
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? [] : [{ pid, parent: Number(parent) }];
  } catch {
    return [];
  }
}

function readFromPs(): ProcessEntry[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,state='], { encoding: 'utf8' }).trim().split('\n');
  return lines.flatMap((line) => {
    const [pid, parent, state = ''] = line.trim().split(/\s+/);
    return state.startsWith('Z') ? [] : [{ pid: Number(pid), parent: Number(parent) }];
  });
}
