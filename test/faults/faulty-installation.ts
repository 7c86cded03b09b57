/**
 * One installation that dies and is started again: `ccx all-in-one` as a process on a data folder of its own, uploads by an operator who
 * tries again, the passing of leases, and at the end what was left behind. Used by the kill tests and by `scripts/soak.ts`.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { identityOf } from '../../src/dev/all-in-one/upload-files.ts';
import { simulateCluster } from '../../src/dev/cluster-simulator/simulate-cluster.ts';
import { uploadArchive } from '../../src/dev/cluster-simulator/upload-archive.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { connectDatabase } from '../../src/platform/database/connect-database.ts';
import { withDatabaseName } from '../../src/platform/database/connection-url.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { EMBEDDED_DATABASE_NAME } from '../../src/platform/database/database-location.ts';
import { isAlive } from '../../src/platform/database/embedded/postmaster-file.ts';
import { findRunningServer } from '../../src/platform/database/embedded/running-server.ts';
import { startEmbeddedPostgres } from '../../src/platform/database/embedded/start-embedded-postgres.ts';
import { type CcxProcess, startCcx } from '../support/ccx-process.ts';
import { createTestFolder } from '../support/data-folder.ts';
import type { Uploaded } from './check-promises.ts';
import { collectEvidence, type Evidence } from './evidence.ts';
import { findLeftProcesses } from './processes.ts';

const clock = createSystemClock();
const copy = promisify(execFile);

/** Only a failing test waits so long. */
const startMsMax = 60_000;
const stopMsMax = 60_000;
const idleMsMax = 180_000;
const leftProcessesMsMax = 10_000;

/** Findings of which both targets are told at the all-in-one process's thresholds; a cluster may have none. */
const findingSets: readonly (readonly string[])[] = [
  ['CONTROL_PLANE_NODE_REPLICAS', 'MCP_SET_TO_PAUSE', 'OPERATOR_UNMANAGED'],
  ['UNSUPPORTED_CNI_PLUGIN'],
  ['IMAGE_REGISTRY_STORAGE_NOT_CONFIGURED', 'MCP_SET_TO_PAUSE'],
  [],
];

/** What an operator has gathered once, and how often it was sent. */
export interface Gathering {
  readonly cluster: string;
  readonly findings: readonly string[];
  readonly archive: Buffer;
  readonly gatheredAt: Date;
  /** As in `Uploaded`. */
  readonly putAside: string | undefined;
  requestId: string;
  readonly accepted: string[];
}

/** How a process is started; without a kill it goes on until it is stopped. */
export interface RunOptions {
  /** As `CcxRun.killAt`. */
  readonly killAt?: string;
  /** PostgreSQL dies at the same moment. */
  readonly killServerToo?: boolean;
  readonly flags?: readonly string[];
}

export interface FaultyInstallation {
  readonly folder: string;
  /** Starts it; `uploadUrl` resolves once it takes uploads, to undefined when it dies before. */
  run(options?: RunOptions): { readonly process: CcxProcess; readonly uploadUrl: Promise<string | undefined> };
  /** Gatherings that nobody has acknowledged. */
  waiting(): readonly Gathering[];
  /** A new cluster's; `broken` is what it sends in place of an archive, and the code that this is to be put aside with. */
  gather(broken?: { readonly archive: Buffer; readonly code: string }): Gathering;
  /** Sends it once more; true when it was answered with 202. */
  upload(gathering: Gathering, uploadUrl: string, how: 'same-id' | 'new-id'): Promise<boolean>;
  /** SIGKILL to PostgreSQL, if it runs. */
  killServer(): Promise<void>;
  /** Lets the time pass that others have to wait for a dead process: its memberships and claims end. */
  endLeases(): Promise<void>;
  /**
   * `ccx all-in-one --once` with the archives of these as files: goes on until nothing is in flight. Rejects when it does not end well;
   * with `deadLetters` it may say that it has put something aside.
   */
  runToEnd(files: readonly Gathering[], options?: { readonly deadLetters: boolean }): Promise<void>;
  uploads(): readonly Uploaded[];
  /** The database of the installation, on the server that runs or on one that is started for it. */
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
  const withDatabase = <T>(work: (database: Database) => Promise<T>): Promise<T> =>
    external === undefined ? onEmbedded(folder, work) : on(external.directUrl, work);
  const serverFile = join(folder, 'postgres', 'cluster', 'postmaster.pid');
  const gatherings: Gathering[] = [];
  const processes = new Set<CcxProcess>();
  const leaders = new Set<number>();

  const start = (options: RunOptions, flags: readonly string[]): CcxProcess => {
    const started = startCcx({
      args: [
        ...['all-in-one', '--data', folder, '--port', '0', '--log-level', 'silent', ...flags],
        ...(external === undefined ? [] : ['--database', external.url]),
      ],
      env: {
        ...(template === undefined ? {} : { NODE_COMPILE_CACHE: template.compiled }),
        // One is enough, and each takes a while to start.
        CCX_DATA_PIPELINE__RULES__RUNNERS: '1',
        // The shortest that is allowed, for scenarios that wait for it.
        CCX_NOTIFICATION_SERVICE__DELIVERY__LEASE: '30s',
      },
      ownGroup: true,
      ...(options.killAt === undefined ? {} : { killAt: options.killAt }),
      ...(options.killServerToo === true ? { killServerToo: serverFile } : {}),
    });
    processes.add(started);
    leaders.add(started.child.pid!);
    started.child.once('exit', () => processes.delete(started));
    return started;
  };
  const noteServer = async () => {
    const pid = Number.parseInt(await readFile(serverFile, 'utf8').catch(() => ''), 10);
    if (!Number.isNaN(pid)) leaders.add(pid);
    return pid;
  };

  return {
    folder,
    run(options = {}) {
      const process = start(options, options.flags ?? []);
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
    waiting: () => gatherings.filter(({ accepted }) => accepted.length === 0),
    gather(broken) {
      const findings = broken === undefined ? findingSets[gatherings.length % findingSets.length]! : [];
      const { clusterId, gatheredAt, ...simulated } = simulateCluster({
        seed: `${seed} ${gatherings.length}`,
        now: clock.now(),
        findings,
      });
      const requestId = clock.uuid().replaceAll('-', '');
      const archive = broken?.archive ?? simulated.archive;
      const gathering: Gathering = {
        ...{ cluster: clusterId, findings, archive, gatheredAt, requestId, putAside: broken?.code, accepted: [] },
      };
      gatherings.push(gathering);
      return gathering;
    },
    async upload(gathering, uploadUrl, how) {
      if (how === 'new-id') gathering.requestId = clock.uuid().replaceAll('-', '');
      const { cluster, archive, gatheredAt, requestId } = gathering;
      const identity = identityOf(cluster);
      const answer = await uploadArchive({
        ...{ url: uploadUrl, archive, clusterId: cluster, gatheredAt, identity, requestId },
      }).catch(() => undefined);
      if (answer?.status !== 202) return false;
      gathering.accepted.push(requestId);
      return true;
    },
    async killServer() {
      const pid = await noteServer();
      if (!Number.isNaN(pid) && isAlive(pid)) process.kill(pid, 'SIGKILL');
    },
    endLeases: () =>
      withDatabase(async (database) => {
        await database.query('UPDATE ccx.bus_members SET lease_until = clock_timestamp()');
        await database.query(
          `UPDATE ccx.notification_outbox SET next_attempt_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE state = 'claimed'`,
        );
      }),
    async runToEnd(files, { deadLetters } = { deadLetters: false }) {
      const flags = ['--once', '--json', '--timeout', `${idleMsMax / 1000}s`];
      await mkdir(join(home.path, 'uploads'), { recursive: true });
      for (const { cluster, archive } of files) {
        const path = join(home.path, 'uploads', `${cluster}.tar.gz`);
        await writeFile(path, archive);
        flags.push('--upload', path);
      }
      const process = start({}, flags);
      const { code, signal } = await process.exited(idleMsMax + startMsMax);
      const output = `${process.stdout()}\n${process.stderr()}`;
      if (code === null || code > 1) throw new Error(`it ended with ${signal ?? code}:\n${output}`);
      const summary = JSON.parse(process.stdout()) as { refused: number; deadLetters: number };
      const isComplete = summary.refused === 0 && !output.includes('not everything had reached its end');
      if (!isComplete || (code === 1 && !(deadLetters && summary.deadLetters > 0)))
        throw new Error(`it did not end well:\n${output}`);
    },
    uploads: () =>
      gatherings.map(({ cluster, findings, accepted, putAside }) => ({
        ...{ cluster, findings, accepted },
        ...(putAside === undefined ? {} : { putAside }),
      })),
    withDatabase,
    async collect({ whileRunning } = { whileRunning: false }) {
      await noteServer();
      const deadlineMs = clock.monotonicMs() + leftProcessesMsMax;
      let leftProcesses = whileRunning ? [] : await findLeftProcesses(leaders);
      while (leftProcesses.length > 0 && clock.monotonicMs() < deadlineMs) {
        await clock.sleep(50);
        leftProcesses = await findLeftProcesses(leaders);
      }
      const evidence = await withDatabase((database) => collectEvidence(database, folder));
      return { evidence, leftProcesses };
    },
    async remove() {
      for (const { child } of processes) child.kill('SIGKILL');
      for (const running of processes) await running.exited(stopMsMax);
      if (external === undefined) {
        const dataDir = join(folder, 'postgres');
        const server = await startEmbeddedPostgres({ dataDir, clock }).catch(() => undefined);
        await server?.stop();
      }
      await home.remove();
    },
  };
}

/** On the server that runs on the folder, or on one that is started for it. */
async function onEmbedded<T>(folder: string, work: (database: Database) => Promise<T>): Promise<T> {
  const dataDir = join(folder, 'postgres');
  const running = await findRunningServer(dataDir, EMBEDDED_DATABASE_NAME);
  if (running !== undefined) return on(running, work);
  const server = await startEmbeddedPostgres({ dataDir, clock, settings: { fsync: 'off' } });
  try {
    return await on(withDatabaseName(server.url, EMBEDDED_DATABASE_NAME), work);
  } finally {
    await server.stop();
  }
}

async function on<T>(url: string, work: (database: Database) => Promise<T>): Promise<T> {
  const database = connectDatabase({ url, applicationName: 'faults', connectionsMax: 2 });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}
