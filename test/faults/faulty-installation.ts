/**
 * One installation that dies and is started again: `ccx all-in-one` as a process on a data folder of its own, uploads by operators who try
 * again, the passing of leases, and at the end what was left behind. Used by the kill tests and by `scripts/soak.ts`.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { isAlive } from '../../src/platform/database/embedded/postmaster-file.ts';
import { startEmbeddedPostgres } from '../../src/platform/database/embedded/start-embedded-postgres.ts';
import { type CcxProcess, startCcx } from '../support/ccx-process.ts';
import { createTestFolder } from '../support/data-folder.ts';
import { collectEvidence, type Evidence } from './evidence.ts';
import { endLeases, onDatabase, onEmbeddedDatabase } from './installation-database.ts';
import { createOperators, type Gathering, type Operators } from './operator.ts';
import { findLeftProcesses } from './processes.ts';
import { laterClock, sweepObjectsByTime } from './sweep-by-time.ts';

const clock = createSystemClock();
const copy = promisify(execFile);

/** Only a failing test waits so long. */
const startMsMax = 60_000;
const stopMsMax = 60_000;
const idleMsMax = 180_000;
const leftProcessesMsMax = 10_000;

/** How a process is started; without a kill it goes on until it is stopped. */
export interface RunOptions {
  /** As `CcxRun.killAt`. */
  readonly killAt?: string;
  /** PostgreSQL dies at the same moment. */
  readonly killServerToo?: boolean;
}

export interface FaultyInstallation extends Operators {
  readonly folder: string;
  /** Starts it; `uploadUrl` resolves once it takes uploads, to undefined when it is killed before. */
  run(options?: RunOptions): { readonly process: CcxProcess; readonly uploadUrl: Promise<string | undefined> };
  /** SIGKILL to PostgreSQL, if it runs. */
  killServer(): Promise<void>;
  /** Lets the time pass that others have to wait for a dead process. */
  endLeases(): Promise<void>;
  /**
   * `ccx all-in-one --once` with the archives of these as files: goes on until nothing is in flight. Rejects when it does not end well;
   * with `deadLetters` it may say that it has put something aside.
   */
  runToEnd(files: readonly Gathering[], options?: { readonly deadLetters: boolean }): Promise<void>;
  /** On the server that runs, or on one that is started for it. */
  withDatabase<T>(work: (database: Database) => Promise<T>): Promise<T>;
  /** After everything has stopped, unless it is said that it goes on: then processes are not looked for. */
  collect(options?: {
    readonly whileRunning: boolean;
  }): Promise<{ readonly evidence: Evidence; readonly leftProcesses: readonly string[] }>;
  /** Kills what still runs and removes the folder. */
  remove(): Promise<void>;
}

export interface Template {
  /** Data folder. */
  readonly data: string;
  /** What Node has compiled, which saves every start half of its work. */
  readonly compiled: string;
  remove(): Promise<void>;
}

/** An installation that was started and stopped once, to be copied: initdb and migrations take longer than all the rest. */
export async function createTemplate(): Promise<Template> {
  const home = await createTestFolder();
  const template = { data: join(home.path, 'data'), compiled: join(home.path, 'compiled'), remove: home.remove };
  const process = startCcx({
    args: ['all-in-one', '--once', '--json', '--data', template.data, '--port', '0'],
    env: { NODE_COMPILE_CACHE: template.compiled },
  });
  const { code } = await process.exited(startMsMax);
  if (code !== 0) throw new Error(`the template did not end well: ${process.stderr()}`);
  // Each copy is an installation of its own and not one beside this.
  await rm(join(template.data, 'installation.json'));
  return template;
}

export interface FaultyInstallationOptions {
  /** Needed where the database is the embedded one. */
  readonly template?: Template;
  /** True: the folder is empty, and the first start makes everything. */
  readonly isNew?: boolean;
  readonly seed: string;
  /** A server of the test's own in place of the embedded one: the way that the processes take to it, and a way that always works. */
  readonly database?: { readonly url: string; readonly directUrl: string };
}

export async function createFaultyInstallation(options: FaultyInstallationOptions): Promise<FaultyInstallation> {
  const { template, isNew = false, seed, database: external } = options;
  const home = await createTestFolder();
  const folder = join(home.path, 'data');
  // With its owners: as root PostgreSQL runs as another account.
  if (external === undefined && !isNew) await copy('cp', ['-a', template!.data, folder]);
  const processes = trackProcesses(folder, options);
  const withDatabase = <T>(work: (database: Database) => Promise<T>, startClock = clock): Promise<T> =>
    external === undefined ? onEmbeddedDatabase(folder, work, startClock) : onDatabase(external.directUrl, work);
  return {
    ...createOperators(seed),
    folder,
    withDatabase: (work) => withDatabase(work),
    run: (how = {}) => processes.run(how),
    killServer: () => processes.killServer(),
    endLeases: () => withDatabase(endLeases),
    async runToEnd(files, { deadLetters } = { deadLetters: false }) {
      const flags = ['--once', '--json', '--timeout', `${idleMsMax / 1000}s`];
      await mkdir(join(home.path, 'uploads'), { recursive: true });
      for (const { cluster, archive } of files) {
        const path = join(home.path, 'uploads', `${cluster}.tar.gz`);
        await writeFile(path, archive);
        flags.push('--upload', path);
      }
      await assertEndsWell(processes.start({}, flags), deadLetters);
    },
    async collect({ whileRunning } = { whileRunning: false }) {
      const leftProcesses = whileRunning ? [] : await processes.left();
      if (!whileRunning) await sweepObjectsByTime(folder);
      const evidence = await withDatabase((database) => collectEvidence(database, folder), laterClock());
      return { evidence, leftProcesses };
    },
    async remove() {
      await processes.killAll();
      if (external === undefined) {
        const dataDir = join(folder, 'postgres');
        const server = await startEmbeddedPostgres({ dataDir, clock }).catch(() => undefined);
        await server?.stop();
      }
      await home.remove();
    },
  };
}

async function assertEndsWell(process: CcxProcess, deadLetters: boolean): Promise<void> {
  const { code, signal } = await process.exited(idleMsMax + startMsMax);
  const output = `${process.stdout()}\n${process.stderr()}`;
  if (code === null || code > 1 || process.stdout() === '')
    throw new Error(`it ended with ${signal ?? code}:\n${output}`);
  const summary = JSON.parse(process.stdout()) as { refused: number; deadLetters: number };
  const isComplete = summary.refused === 0 && !output.includes('not everything had reached its end');
  if (!isComplete || (code === 1 && !(deadLetters && summary.deadLetters > 0)))
    throw new Error(`it did not end well:\n${output}`);
}

/** The processes of an installation, and what they leave running. */
function trackProcesses(folder: string, { template, database }: FaultyInstallationOptions) {
  const serverFile = join(folder, 'postgres', 'cluster', 'postmaster.pid');
  const running = new Set<CcxProcess>();
  /** Leaders of process groups and sessions: every process that was started, and every PostgreSQL that was seen. */
  const leaders = new Set<number>();
  const noteServer = async () => {
    const pid = Number.parseInt(await readFile(serverFile, 'utf8').catch(() => ''), 10);
    if (!Number.isNaN(pid)) leaders.add(pid);
    return pid;
  };
  const start = ({ killAt, killServerToo }: RunOptions, flags: readonly string[]): CcxProcess => {
    const started = startCcx({
      args: [
        ...['all-in-one', '--data', folder, '--port', '0', '--log-level', 'silent', ...flags],
        ...(database === undefined ? [] : ['--database', database.url]),
      ],
      env: {
        ...(template === undefined ? {} : { NODE_COMPILE_CACHE: template.compiled }),
        // One is enough, and each takes a while to start.
        CCX_DATA_PIPELINE__RULES__RUNNERS: '1',
        // The shortest that is allowed, for scenarios that wait for it.
        CCX_NOTIFICATION_SERVICE__DELIVERY__LEASE: '30s',
      },
      ownGroup: true,
      ...(killAt === undefined ? {} : { killAt }),
      ...(killServerToo === true ? { killServerToo: serverFile } : {}),
    });
    running.add(started);
    leaders.add(started.child.pid!);
    started.child.once('exit', () => running.delete(started));
    return started;
  };
  return {
    start,
    run(options: RunOptions) {
      const process = start(options, []);
      const uploadUrl = process.waitForOutput(/uploads +(http\S+)/, startMsMax).then(
        async (match) => {
          await noteServer();
          return match[1]!;
        },
        async (error: unknown) => {
          await noteServer();
          if (process.child.signalCode === 'SIGKILL') return undefined;
          throw error;
        },
      );
      uploadUrl.catch(() => undefined);
      return { process, uploadUrl };
    },
    async killServer() {
      const pid = await noteServer();
      if (!Number.isNaN(pid) && isAlive(pid)) process.kill(pid, 'SIGKILL');
    },
    /** Those that do not end by themselves within a while. */
    async left(): Promise<string[]> {
      await noteServer();
      const deadlineMs = clock.monotonicMs() + leftProcessesMsMax;
      for (;;) {
        const left = await findLeftProcesses(leaders);
        if (left.length === 0 || clock.monotonicMs() >= deadlineMs) return left;
        await clock.sleep(50);
      }
    },
    async killAll() {
      for (const { child } of running) child.kill('SIGKILL');
      for (const one of [...running]) await one.exited(stopMsMax);
    },
  };
}
