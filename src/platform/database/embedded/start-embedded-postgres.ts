/**
 * PostgreSQL's real server from npm, for an installation without anything else: found, initialised, started, watched and stopped here.
 * Called by the all-in-one runner, by `ccx` commands that need a database of their own, and by the tests. It owns the server process
 * and its data folder; databases and schemas inside are the callers' business.
 *
 * Layout of `dataDir`: `cluster/` (PostgreSQL's data folder, password file included) and `server.log`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../clock/clock.ts';
import { composeDatabaseUrl, parseDatabaseUrl, withDatabaseName } from '../connection-url.ts';
import { locatePackage, type PostgresBinaries, prepareBinaries } from './binaries.ts';
import { acquireOwnership, embeddedPollMs, type Ownership } from './ownership.ts';
import {
  disownPostmasterFile,
  isAlive,
  type PostmasterFile,
  readPostmasterFile,
  removeTornPostmasterFile,
  servesFolder,
} from './postmaster-file.ts';
import { EMBEDDED_USER, type PreparedFolder, prepareFolder, serverEnvironment } from './prepare-folder.ts';
import { chooseServerUser, type ServerUser } from './server-user.ts';

/** Start of the embedded server until it answers; a crash recovery after a power cut reads all WAL since the last checkpoint. */
const embeddedStartMsMax = 120_000;
/** Fast shutdown writes a checkpoint; together with the next one it stays below the limit of one cleanup (10 s). */
const embeddedFastStopMsMax = 7_000;
/** Immediate shutdown writes nothing; the next start recovers from WAL. */
const embeddedImmediateStopMsMax = 2_000;
/** How long the processes of a server that was killed may keep its memory from the next one: until the statement that each is in has ended. */
const embeddedOrphansMsMax = 30_000;
/** Between two starts meanwhile. */
const embeddedOrphansPollMs = 250;
/** Another process may take the free port between our look and the server's bind. */
const embeddedPortTriesMax = 5;
/** server.log is set aside (one generation) when it is larger than this at a start. */
export const embeddedLogBytesMax = 1024 * 1024;
/** How much of server.log an error quotes. */
const embeddedLogTailBytesMax = 2048;
/** The start time in postmaster.pid is taken a moment before the one the server reports; recovery lies in between on slow disks. */
const embeddedStartTimeToleranceSeconds = 60;

export interface EmbeddedPostgresOptions {
  /** Created when missing; everything of the server lies below it. */
  readonly dataDir: string;
  readonly clock: Clock;
  /** One line per step, for a person who watches. */
  readonly log?: (line: string) => void;
  /** A free port by default. */
  readonly port?: number;
  /** Server settings beyond ours, e.g. `{ fsync: 'off' }` in tests. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedPostgres {
  /** With password, to the maintenance database `postgres`; see `createDatabaseIfMissing` and `withDatabaseName`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** True when the server was already running because its former owner died. */
  readonly adopted: boolean;
  /** Resolves when the server is gone: after `stop`, or because it died. */
  readonly gone: Promise<void>;
  /** Fast shutdown, then immediate, then kill; bounded by about ten seconds. Safe to call twice. */
  stop(): Promise<void>;
}

/**
 * Codes: `EMBEDDED_POSTGRES_UNSUPPORTED`, `_NO_USER`, `_FOLDER`, `_VERSION`, `_INIT`, `_CACHE`, `_IN_USE`, `_PORT`, `_START`.
 * As root the server runs as another account. It gets a session of its own, so that Ctrl-C does not stop it before its users.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const user = chooseServerUser(process.getuid?.());
  const binaries = await prepareBinaries(locatePackage(), { user, uuid: options.clock.uuid });
  const folder = await prepareFolder({
    dataDir: options.dataDir,
    binaries,
    user,
    clock: options.clock,
    // What a power cut may take need not be flushed at the beginning either.
    sync: options.settings?.['fsync'] !== 'off',
  });
  const context: StartContext = {
    options,
    user,
    binaries,
    folder,
    logFile: join(dirname(folder.cluster), 'server.log'),
  };
  const adopted = await adoptRunning(context);
  if (adopted !== undefined) return adopted;
  return startServer(context);
}

interface StartContext {
  readonly options: EmbeddedPostgresOptions;
  readonly user: ServerUser | undefined;
  readonly binaries: PostgresBinaries;
  readonly folder: PreparedFolder;
  readonly logFile: string;
}

/** Takes over the server of a dead owner, or clears what it left; undefined when a server has to be started. */
async function adoptRunning(context: StartContext): Promise<EmbeddedPostgres | undefined> {
  const { options, folder } = context;
  const file = await settledPostmasterFile(context);
  if (file === undefined) return undefined;
  if (!isAlive(file.pid)) {
    await disownPostmasterFile(folder.cluster, file.pid);
    return undefined;
  }
  const ownership = await acquireOwnership(urlOf(folder, file.port), options.clock).catch(() => undefined);
  if (ownership !== undefined && isSameServer(ownership, file, folder.cluster)) {
    if ('inUse' in ownership) throw inUse(context, file.pid);
    if (options.port !== undefined && options.port !== file.port) {
      options.log?.(`restarting PostgreSQL to move it from port ${file.port} to ${options.port}`);
      await ownership.release();
      await stopProcess(file.pid, options.clock);
      return undefined;
    }
    options.log?.(`took over the PostgreSQL that was left running (process ${file.pid})`);
    return running(context, { port: file.port, pid: file.pid, adopted: true }, ownership);
  }
  // A copied folder names the server of its original, which also takes its password.
  if (ownership !== undefined && !('inUse' in ownership)) await ownership.release();
  if (await servesFolder(file.pid, folder.cluster)) {
    options.log?.(`stopping a PostgreSQL that does not answer (process ${file.pid})`);
    await stopProcess(file.pid, options.clock);
  } else {
    // The number belongs to another process by now.
    options.log?.(`postmaster.pid was left by a server that is gone`);
    await disownPostmasterFile(folder.cluster, file.pid);
  }
  return undefined;
}

/** A server that is starting or stopping is given its time; what is left afterwards counts. */
async function settledPostmasterFile({ options, folder }: StartContext): Promise<PostmasterFile | undefined> {
  const deadlineMs = options.clock.monotonicMs() + embeddedStartMsMax;
  for (;;) {
    const file = await readPostmasterFile(folder.cluster);
    const settled = file === undefined || /^(ready|standby)/.test(file.status) || !isAlive(file.pid);
    if (settled || !(await servesFolder(file.pid, folder.cluster))) return file;
    if (options.clock.monotonicMs() >= deadlineMs) return file;
    await options.clock.sleep(embeddedPollMs);
  }
}

function isSameServer(ownership: Pick<Ownership, 'identity'>, file: PostmasterFile, cluster: string): boolean {
  const { identity } = ownership;
  return (
    identity.pid === file.pid &&
    identity.dataFolder === cluster &&
    Math.abs(identity.startedAt - file.startedAt) <= embeddedStartTimeToleranceSeconds
  );
}

async function startServer(context: StartContext): Promise<EmbeddedPostgres> {
  const { options, folder } = context;
  const { clock } = options;
  const waitMsMax = clock.monotonicMs() + embeddedOrphansMsMax;
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await findFreePort());
    const started = await launch(context, port);
    if (started.kind === 'ready') {
      const ownership = await ownStarted(context, started.pid, port);
      options.log?.(
        `PostgreSQL ${context.binaries.majorVersion} listens on 127.0.0.1:${port}, data in ${folder.cluster}`,
      );
      return running(context, { port, pid: started.pid, adopted: false }, ownership);
    }
    if (/Address already in use|could not create any TCP\/IP sockets/.test(started.log)) {
      if (options.port === undefined && attempt < embeddedPortTriesMax) continue;
      throw new CcxError(`port ${port} of the embedded PostgreSQL is taken`, {
        code: 'EMBEDDED_POSTGRES_PORT',
        category: 'configuration',
        hint: 'choose another port, or leave it out to get a free one',
      });
    }
    if (/pre-existing shared memory block/.test(started.log) && clock.monotonicMs() < waitMsMax) {
      // Processes of a server that was killed end as soon as they notice; a busy one takes a while.
      await clock.sleep(embeddedOrphansPollMs);
      continue;
    }
    if (/lock file "postmaster\.pid"/.test(started.log) && (await removeTornPostmasterFile(folder.cluster))) {
      options.log?.('postmaster.pid was cut short by a full disk or a loss of power, and was removed');
      if (attempt < embeddedPortTriesMax) continue;
    }
    if (/lock file "postmaster\.pid" already exists/.test(started.log)) {
      // Another process started the same folder between our look and ours.
      const adopted = await adoptRunning(context);
      if (adopted !== undefined) return adopted;
      if (attempt < embeddedPortTriesMax) continue;
    }
    throw new CcxError(`the embedded PostgreSQL did not start: ${started.reason}`, {
      code: 'EMBEDDED_POSTGRES_START',
      category: 'storage',
      cause: started.log === '' ? undefined : new Error(started.log),
      hint: `see ${context.logFile}, or use a server of your own with --database`,
    });
  }
}

/** A server that we started and cannot use is stopped again: nobody would ever stop it otherwise. */
async function ownStarted(context: StartContext, pid: number, port: number): Promise<Ownership> {
  const { clock } = context.options;
  const ownership = await acquireOwnership(urlOf(context.folder, port), clock).catch(async (cause: unknown) => {
    await stopProcess(pid, clock);
    throw new CcxError('the embedded PostgreSQL started but does not let us in', {
      code: 'EMBEDDED_POSTGRES_START',
      category: 'storage',
      cause,
      hint: `restore ${context.folder.cluster}/ccx-password, or choose another folder with --data`,
    });
  });
  if ('inUse' in ownership) throw inUse(context, pid);
  return ownership;
}

type Launch =
  | { readonly kind: 'ready'; readonly pid: number }
  | { readonly kind: 'failed'; readonly reason: string; readonly log: string };

async function launch({ options, user, binaries, folder, logFile }: StartContext, port: number): Promise<Launch> {
  const { clock } = options;
  const { descriptor, offset } = openLog(logFile);
  const child = spawn(binaries.postgres, ['-D', folder.cluster, ...settingFlags(port, options.settings ?? {})], {
    cwd: folder.cluster,
    env: serverEnvironment,
    detached: true,
    stdio: ['ignore', descriptor, descriptor],
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  });
  closeSync(descriptor);
  let ended: string | undefined;
  child.once('error', (error) => {
    ended = error.message;
  });
  child.once('exit', (code, signal) => {
    ended ??= `it exited with ${signal ?? `code ${code}`}`;
  });
  // The server may outlive us: its next owner adopts it.
  child.unref();
  const deadlineMs = clock.monotonicMs() + embeddedStartMsMax;
  while (ended === undefined) {
    const file = await readPostmasterFile(folder.cluster);
    if (file !== undefined && file.pid === child.pid && file.status === 'ready')
      return { kind: 'ready', pid: file.pid };
    if (clock.monotonicMs() >= deadlineMs && child.pid !== undefined) {
      await stopProcess(child.pid, clock);
      ended = `it was not ready within ${embeddedStartMsMax / 1000} s`;
      break;
    }
    await clock.sleep(embeddedPollMs);
  }
  return { kind: 'failed', reason: ended, log: readTail(logFile, offset) };
}

/** Loopback only and no unix socket: a socket folder would be another place with rights to get wrong. */
function settingFlags(port: number, settings: Readonly<Record<string, string>>): string[] {
  const all: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    TimeZone: 'UTC',
    log_timezone: 'UTC',
    // Statement errors reach their clients anyway; without them the log stays small enough not to need rotation at run time.
    log_min_messages: 'log',
    log_checkpoints: 'off',
    ...settings,
  };
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

function running(
  { options, folder }: StartContext,
  server: { readonly port: number; readonly pid: number; readonly adopted: boolean },
  ownership: Ownership,
): EmbeddedPostgres {
  let stopping: Promise<void> | undefined;
  return {
    ...server,
    url: urlOf(folder, server.port),
    gone: ownership.serverGone,
    stop() {
      stopping ??= (async () => {
        // Ownership goes last: until the server is gone nobody else may take it over.
        const file = await readPostmasterFile(folder.cluster);
        if (file?.pid === server.pid) await stopProcess(server.pid, options.clock);
        await ownership.release();
      })();
      return stopping;
    },
  };
}

/** SIGINT is PostgreSQL's fast shutdown, SIGQUIT the immediate one. */
async function stopProcess(pid: number, clock: Clock): Promise<void> {
  const steps: readonly [NodeJS.Signals, number][] = [
    ['SIGINT', embeddedFastStopMsMax],
    ['SIGQUIT', embeddedImmediateStopMsMax],
    ['SIGKILL', embeddedImmediateStopMsMax],
  ];
  for (const [signal, waitMs] of steps) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    const deadlineMs = clock.monotonicMs() + waitMs;
    while (isAlive(pid) && clock.monotonicMs() < deadlineMs) await clock.sleep(embeddedPollMs);
    if (!isAlive(pid)) return;
  }
}

function inUse({ folder }: StartContext, pid: number): CcxError {
  return new CcxError(
    `the data in ${folder.cluster} is in use by another running program (PostgreSQL process ${pid})`,
    {
      code: 'EMBEDDED_POSTGRES_IN_USE',
      category: 'configuration',
      hint: 'stop the other program first, or choose another folder with --data',
    },
  );
}

function urlOf(folder: PreparedFolder, port: number): string {
  return composeDatabaseUrl({
    user: EMBEDDED_USER,
    password: folder.password,
    host: '127.0.0.1',
    port,
    database: 'postgres',
    parameters: 'sslmode=disable',
  });
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function openLog(path: string): { readonly descriptor: number; readonly offset: number } {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > embeddedLogBytesMax) renameSync(path, `${path}.1`);
  return { descriptor: openSync(path, 'a', 0o600), offset: size > embeddedLogBytesMax ? 0 : size };
}

/** What this attempt wrote, at most the last bytes of it. */
function readTail(path: string, offset: number): string {
  const descriptor = openSync(path, 'r');
  try {
    const size = statSync(path).size;
    const from = Math.max(offset, size - embeddedLogTailBytesMax);
    const buffer = Buffer.alloc(size - from);
    readSync(descriptor, buffer, 0, buffer.length, from);
    return buffer.toString('utf8').trim();
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Creates database `name` on the server of `url` unless it is there; resolves to the URL of the database either way. `template` names a
 * database to clone, to which nobody may be connected.
 */
export async function createDatabaseIfMissing(url: string, name: string, template?: string): Promise<string> {
  const { client: config } = parseDatabaseUrl({
    url,
    applicationName: 'ccx-create-database',
    setting: 'the database URL',
  });
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) {
      const from = template === undefined ? '' : ` TEMPLATE ${pg.escapeIdentifier(template)}`;
      await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}${from}`).catch((error: { code?: string }) => {
        // Somebody else created it between the two statements.
        if (error.code !== '42P04' && error.code !== '23505') throw error;
      });
    }
  } finally {
    await client.end();
  }
  return withDatabaseName(url, name);
}
