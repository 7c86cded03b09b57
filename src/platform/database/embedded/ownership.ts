/**
 * Who owns a running embedded server. The owner keeps one connection with an advisory lock for as long as it lives: when it dies, even by
 * SIGKILL, the kernel closes the connection and the lock is free, so an orphan can be told from a server in use without any bookkeeping
 * on disk. The same connection tells when the server dies under its owner.
 */
import pg from 'pg';
import type { Clock } from '../../clock/clock.ts';
import { isAlive } from './postmaster-file.ts';

/** Between two looks at a server that is starting or stopping. */
export const embeddedPollMs = 20;

/** The server notices that its dead owner's connection is closed well within this. */
const embeddedOwnerReleaseMsMax = 2_000;
/** Between two tries to get the ownership connection back after the server restarted itself. */
const embeddedOwnerRetryMs = 250;

/** Any number does; it is only used in the maintenance database of the embedded server. */
const ownerLock = 7_702_265;

interface ServerIdentity {
  readonly dataFolder: string;
  /** Seconds since the epoch. */
  readonly startedAt: number;
  /** Process id of the server as it sees itself. */
  readonly pid: number;
}

export interface Ownership {
  readonly identity: ServerIdentity;
  /** Resolves when the server is gone, whether it was stopped or died. */
  readonly serverGone: Promise<void>;
  release(): Promise<void>;
}

/** Another living process owns the server. */
interface ServerInUse {
  readonly inUse: true;
  readonly identity: ServerIdentity;
}

/** Rejects with the driver's error when the server cannot be talked to. */
export async function acquireOwnership(url: string, clock: Clock): Promise<Ownership | ServerInUse> {
  const client = await connect(url);
  try {
    const identity = await askIdentity(client);
    const deadlineMs = clock.monotonicMs() + embeddedOwnerReleaseMsMax;
    while (!(await tryLock(client))) {
      if (clock.monotonicMs() >= deadlineMs) {
        await client.end();
        return { inUse: true, identity };
      }
      await clock.sleep(embeddedPollMs);
    }
    return keepOwnership(client, identity, url, clock);
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'ccx-owner',
    connectionTimeoutMillis: 5_000,
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function askIdentity(client: pg.Client): Promise<ServerIdentity> {
  const { rows } = await client.query<{ folder: string; started: string; file: string }>(
    `SELECT current_setting('data_directory') AS folder, floor(extract(epoch FROM pg_postmaster_start_time()))::text AS started,
            pg_read_file('postmaster.pid') AS file`,
  );
  const row = rows[0]!;
  return { dataFolder: row.folder, startedAt: Number(row.started), pid: Number(row.file.split('\n')[0]) };
}

async function tryLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [ownerLock]);
  return rows[0]?.locked === true;
}

function keepOwnership(first: pg.Client, identity: ServerIdentity, url: string, clock: Clock): Ownership {
  const released = new AbortController();
  let current = first;
  // Neither this connection nor its watch keeps a process alive that has nothing else to do.
  const untilEnd = (client: pg.Client) =>
    new Promise<void>((resolve) => {
      (client as pg.Client & { unref(): void }).unref();
      client.once('end', () => resolve());
    });
  const watch = async () => {
    for (;;) {
      await untilEnd(current);
      if (released.signal.aborted) return;
      // The server drops all connections and goes on when one of its processes crashes: then the lock is taken again.
      let again: pg.Client | undefined;
      while (again === undefined && isAlive(identity.pid) && !released.signal.aborted) {
        await clock.sleep(embeddedOwnerRetryMs, released.signal).catch(() => undefined);
        again = await connect(url)
          .then(async (client) => ((await tryLock(client)) ? client : client.end().then(() => undefined)))
          .catch(() => undefined);
      }
      if (again === undefined) return;
      current = again;
    }
  };
  const serverGone = watch();
  return {
    identity,
    serverGone,
    async release() {
      released.abort();
      await current.end().catch(() => undefined);
    },
  };
}
