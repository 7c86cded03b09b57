/** Runs the real `ccx` in a process of its own, as its user would, and lets a test read what it prints, wait for it and kill it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { baseEnvironment } from './base-environment.ts';
import { assertKindMay } from './test-kinds.ts';

const repositoryRoot = fileURLToPath(new URL('../..', import.meta.url));
const killAtEvent = new URL('../faults/kill-at-event.ts', import.meta.url).href;

export interface CcxProcess {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Resolves with the first match in standard output; rejects when the process ends or the time is up without one. */
  waitForOutput(pattern: RegExp, withinMs: number): Promise<RegExpExecArray>;
  /** Resolves with exit code or signal. */
  exited(withinMs: number): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  kill(signal: NodeJS.Signals): void;
}

export interface CcxRun {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** `event:n` or `service/event:n`: SIGKILL at the n-th such business event. */
  readonly killAt?: string;
  /** As `killAt`, but SIGSTOP: `kill('SIGCONT')` lets it go on. */
  readonly stopAt?: string;
  /** With `killAt`: the `postmaster.pid` of a PostgreSQL that is killed at that moment as well. */
  readonly killServerToo?: string;
  /** Another installation than this checkout. */
  readonly root?: string;
  /** By `src/bin/ccx`, with what it sets for a role; `killAt` has no effect then. */
  readonly launcher?: boolean;
  /** How many files it may open at once; by default as many as this process. */
  readonly openFilesMax?: number;
  /** Leads a process group of its own, by which a test finds what it left running. */
  readonly ownGroup?: boolean;
}

/** `CCX_TEST_INSTALLATION`: an installed copy whose roles are tested instead of this checkout's. */
export function installationRoot(): string {
  return process.env['CCX_TEST_INSTALLATION'] ?? repositoryRoot;
}

export function startCcx(run: CcxRun): CcxProcess {
  assertKindMay('start programs');
  const signalAt = run.killAt ?? run.stopAt;
  const preload = signalAt === undefined ? [] : ['--import', killAtEvent];
  const root = run.root ?? installationRoot();
  const program =
    run.launcher === true ? [join(root, 'src/bin/ccx')] : [process.execPath, ...preload, join(root, 'src/cli.ts')];
  const limit =
    run.openFilesMax === undefined ? [] : ['/bin/sh', '-c', `ulimit -n ${run.openFilesMax}; exec "$0" "$@"`];
  const [file = '', ...args] = [...limit, ...program, ...run.args];
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: run.ownGroup === true,
    env: {
      ...baseEnvironment(),
      ...run.env,
      ...(signalAt === undefined ? {} : { CCX_TEST_KILL_AT: signalAt }),
      ...(run.stopAt === undefined ? {} : { CCX_TEST_KILL_BY: 'SIGSTOP' }),
      ...(run.killServerToo === undefined ? {} : { CCX_TEST_KILL_TOO: run.killServerToo }),
    },
  });
  let out = '';
  let err = '';
  const watchers = new Set<() => void>();
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk;
    for (const watcher of watchers) watcher();
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    err += chunk;
  });
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;

  return {
    child,
    stdout: () => out,
    stderr: () => err,
    async waitForOutput(pattern, withinMs) {
      const matched = new Promise<RegExpExecArray>((resolve) => {
        const look = () => {
          const match = pattern.exec(out);
          if (match === null) return;
          watchers.delete(look);
          resolve(match);
        };
        watchers.add(look);
        look();
      });
      return within(
        Promise.race([
          matched,
          ended.then(() => Promise.reject(new Error(`ended without ${pattern}:\n${out}\n${err}`))),
        ]),
        withinMs,
        () => `no ${pattern} within ${withinMs} ms:\n${out}\n${err}`,
      );
    },
    async exited(withinMs) {
      const [code, signal] = await within(ended, withinMs, () => `still running after ${withinMs} ms:\n${out}\n${err}`);
      return { code, signal };
    },
    kill: (signal) => void child.kill(signal),
  };
}

export interface CcxResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Far more than a command takes on a busy machine. */
const commandMsMax = 120_000;

/** One command to its end; one that does not end in time is killed, and the promise rejects. */
export async function runCcx(args: readonly string[], env: CcxRun['env'] = {}): Promise<CcxResult> {
  const command = startCcx({ args, env });
  try {
    const { code } = await command.exited(commandMsMax);
    return { code, stdout: command.stdout(), stderr: command.stderr() };
  } finally {
    command.kill('SIGKILL');
  }
}

async function within<T>(work: Promise<T>, ms: number, describe: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(describe())), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
