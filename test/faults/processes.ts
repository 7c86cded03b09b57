/**
 * What `/proc` says of processes: which are left of one that is gone (members of its process group, or of the session that its PostgreSQL
 * leads), and whether one is stopped. Where there is no `/proc`, nothing is found.
 */
import { readdir, readFile } from 'node:fs/promises';

/** One line per process. */
export async function findLeftProcesses(leaders: ReadonlySet<number>): Promise<string[]> {
  const names = await readdir('/proc').catch(() => []);
  const found = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map((pid) => describeIfLed(pid, leaders)));
  return found.filter((line) => line !== undefined);
}

/** SIGSTOP has reached it. */
export async function isStopped(pid: number): Promise<boolean> {
  return stateOf(await readFile(`/proc/${pid}/stat`, 'utf8')) === 'T';
}

async function describeIfLed(pid: string, leaders: ReadonlySet<number>): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const [, , group, session] = behindName(stat);
    if (stateOf(stat) === 'Z' || !(leaders.has(Number(group)) || leaders.has(Number(session)))) return undefined;
    const commandLine = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim();
    return `${pid} ${commandLine.slice(0, 200)}`;
  } catch {
    return undefined;
  }
}

function stateOf(stat: string): string | undefined {
  return behindName(stat)[0];
}

/** The name in brackets may hold anything; behind it: state, parent, group, session. */
function behindName(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
