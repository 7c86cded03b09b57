/**
 * Which processes are left of one that is gone: members of its process group, or of the session that its PostgreSQL leads. Read from
 * `/proc`; where there is none, nothing is found.
 */
import { readdir, readFile } from 'node:fs/promises';

/** One line per process. */
export async function findLeftProcesses(leaders: ReadonlySet<number>): Promise<string[]> {
  const names = await readdir('/proc').catch(() => []);
  const found = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map((pid) => describeIfLed(pid, leaders)));
  return found.filter((line) => line !== undefined);
}

async function describeIfLed(pid: string, leaders: ReadonlySet<number>): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in brackets may hold anything; behind it: state, parent, group, session.
    const [state = '', , group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' || !(leaders.has(Number(group)) || leaders.has(Number(session)))) return undefined;
    const commandLine = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim();
    return `${pid} ${commandLine.slice(0, 200)}`;
  } catch {
    return undefined;
  }
}
