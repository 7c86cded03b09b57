/**
 * The `Database` port on the `pg` driver: a pool whose connections speak UTC and hand out timestamps as text, transactions that never
 * lie about their outcome, and LISTEN that comes back by itself. Called by composition roots and commands; nothing connects before the
 * first statement, and retrying is left to the caller, who knows whether its work may be repeated.
 */
import pg from 'pg';
import { CcxError } from '../../encoding/ccx-error.ts';
import { type Clock, createSystemClock } from '../clock/clock.ts';
import { within } from '../clock/deadline.ts';
import { parseDatabaseUrl } from './connection-url.ts';
import type { Connection, Database, DatabaseOptions, Planning, QueryResult, TransactionOptions } from './database.ts';
import {
  type DatabaseAddress,
  isConnectionBroken,
  mapConnectError,
  mapStatementError,
  sqlState,
} from './database-error.ts';
import { isPlanLost, KeptPlans, planLost, plansOfTransaction } from './kept-plans.ts';
import { Listener } from './listener.ts';
import { RotatedLogin } from './rotated-login.ts';
import { SessionClient } from './session.ts';

/** Connections of one pool unless the service says otherwise: a small RDS instance allows about 80 to everybody together. */
const connectionsMaxDefault = 10;
/** Waiting for a free connection of a busy pool: beyond it the pool is too small or something holds connections. */
const acquireMsMax = 60_000;
/** An idle connection is given back after this, so that a quiet service does not hold the server's slots. */
const connectionIdleMsMax = 30_000;
/** A pooled connection is replaced when it is this old: what was true of its session at the start (where a failover led it, what it may) ends. */
const connectionAgeMsMax = 15 * 60_000;
/** ROLLBACK of a failed transaction; a connection that does not answer by then is thrown away, which rolls back too. */
export const rollbackMsMax = 5_000;
/** The oldest server that the schema is tested for. */
const serverVersionMin = 13;

/** Throws `CcxError` code `DATABASE_URL` when the URL cannot be used; an unreachable server is found out by `check()` or the first statement. */
export function connectDatabase(options: DatabaseOptions): Database {
  const clock = options.clock ?? createSystemClock();
  const setting = options.setting ?? 'the database URL (--database)';
  const { address, client } = parseDatabaseUrl({ ...options, setting });
  const login = options.rotated === undefined ? undefined : new RotatedLogin(options.rotated);
  const pool = new pg.Pool({
    ...client,
    // The pool's timeout also covers waiting for a free connection, which may take much longer than connecting.
    connectionTimeoutMillis: acquireMsMax,
    // The pool would hand its own options to each client: without this a connect could take as long as the wait for a free connection.
    Client: class extends SessionClient {
      constructor() {
        super(client, login);
      }
    },
    max: options.connectionsMax ?? connectionsMaxDefault,
    idleTimeoutMillis: connectionIdleMsMax,
    maxLifetimeSeconds: (options.connectionAgeMs ?? connectionAgeMsMax) / 1000,
  } as pg.PoolConfig);
  // An idle connection that breaks is taken out of the pool by the driver; the next statement opens another and reports what it meets.
  pool.on('error', () => undefined);
  const listener = new Listener({ config: client, address, login, clock });
  const sessions: Sessions = { pool, address, login, clock, plans: new KeptPlans(), letIn: false };

  const withConnection = <T>(work: (connection: Connection) => Promise<T>) => borrow(sessions, work);
  const transaction = <T>(work: (tx: Connection) => Promise<T>, how: TransactionOptions = {}) =>
    withConnection(async (connection) => {
      const kept = how.plan === 'kept' && (await keepsPlans(sessions, connection.client));
      await connection.query(`${beginStatement(how)}${kept ? plansOfTransaction : ''}`);
      let result: T;
      try {
        result = await work(kept ? keepingPlans(connection) : connection);
      } catch (error) {
        await rollBack(connection.client, clock);
        throw error;
      }
      await commit(connection.client);
      return result;
    });

  let closing: Promise<void> | undefined;
  return {
    query: (text, values, how) => withConnection((connection) => connection.query(text, values, how)),
    transaction,
    withConnection,
    listen: (channel, onNotify) => listener.listen(channel, onNotify),
    check: () => withConnection((connection) => checkServer(connection, address)),
    close() {
      closing ??= listener.close().then(() => pool.end());
      return closing;
    },
  };
}

interface Sessions {
  readonly pool: pg.Pool;
  readonly address: DatabaseAddress;
  readonly login: RotatedLogin | undefined;
  readonly clock: Clock;
  readonly plans: KeptPlans;
  /** Whether the server has ever accepted the login. */
  letIn: boolean;
}

async function borrow<T>(sessions: Sessions, work: (connection: Connection) => Promise<T>): Promise<T> {
  const client = await acquire(sessions);
  let broken: Error | undefined;
  // While borrowed nobody else listens: without this a lost connection would end the process.
  const onError = (error: Error) => {
    broken ??= error;
  };
  client.on('error', onError);
  try {
    return await work({
      client,
      async query(text, values, how) {
        try {
          sessions.plans.statements += 1;
          const kept = how?.plan === 'kept' && (await keepsPlans(sessions, client));
          return await runStatement(client, { text, values, name: kept ? sessions.plans.nameOf(text) : undefined });
        } catch (error) {
          // Also where the caller goes on as if nothing had happened.
          if (error instanceof CcxError && isConnectionBroken(error.cause)) broken ??= error;
          throw error;
        }
      },
    });
  } catch (error) {
    // Errors of the caller's own making pass as they are: the broken connection of an unrelated call is not ours to explain.
    throw broken !== undefined || sqlState(error) !== undefined ? mapStatementError(error) : error;
  } finally {
    client.off('error', onError);
    // A connection with an open transaction would hand it to the next borrower.
    const dirty = client.getTransactionStatus() !== 'I';
    client.release(broken ?? dirty);
  }
}

async function acquire(sessions: Sessions): Promise<pg.PoolClient> {
  const { pool, address, login } = sessions;
  let client: pg.PoolClient;
  try {
    const connect = () => pool.connect();
    client = await (login === undefined ? connect() : login.connecting(connect));
  } catch (error) {
    throw mapConnectError(error, address, sessions);
  }
  sessions.letIn = true;
  try {
    await sessionOf(client).requireSettings(address);
    return client;
  } catch (error) {
    client.release(true);
    throw mapStatementError(error);
  }
}

function keepsPlans({ clock, plans: { statements } }: Sessions, client: pg.PoolClient): Promise<boolean> {
  return sessionOf(client).keepsPlans({ ms: clock.monotonicMs(), statements });
}

/** The pool makes no others. */
function sessionOf(client: pg.PoolClient): SessionClient {
  return client as unknown as SessionClient;
}

function keepingPlans({ client, query }: Connection): Connection {
  const how: Planning = { plan: 'kept' };
  return { client, query: (text, values) => query(text, values, how) };
}

interface Statement {
  readonly text: string;
  readonly values: readonly unknown[] | undefined;
  /** Of its kept plan. */
  readonly name: string | undefined;
}

async function runStatement<Row extends object>(
  client: pg.PoolClient,
  { text, values, name }: Statement,
): Promise<QueryResult<Row>> {
  const isAlone = client.getTransactionStatus() === 'I';
  try {
    const answer: pg.QueryResult | pg.QueryResult[] = await client.query({
      text,
      ...(values === undefined ? {} : { values: values as unknown[] }),
      ...(name === undefined ? {} : { name }),
    });
    // Several statements in one text answer with a list; the last one counts.
    const result = Array.isArray(answer) ? answer.at(-1)! : answer;
    return { rows: result.rows as Row[], rowCount: result.rowCount ?? 0 };
  } catch (error) {
    if (name === undefined || !isPlanLost(error)) throw mapStatementError(error);
    sessionOf(client).losePlans();
    if (!isAlone) throw planLost(error);
    return await runStatement(client, { text, values, name: undefined });
  }
}

function beginStatement(how: TransactionOptions): string {
  const isolation = how.isolation === undefined ? '' : ` ISOLATION LEVEL ${how.isolation.toUpperCase()}`;
  return `BEGIN${isolation}${how.readOnly === true ? ' READ ONLY' : ''}`;
}

/**
 * PostgreSQL answers COMMIT of a failed transaction with success and the tag ROLLBACK: a caller that swallowed an error would believe
 * its work was stored. A connection that breaks here leaves the outcome unknown, so only work that may be repeated is tried again.
 */
async function commit(client: pg.PoolClient): Promise<void> {
  let tag: string;
  try {
    tag = (await client.query('COMMIT')).command;
  } catch (cause) {
    if (!isConnectionBroken(cause)) throw mapStatementError(cause);
    throw new CcxError('the connection broke during COMMIT: whether the transaction was stored is unknown', {
      code: 'DATABASE_COMMIT_UNKNOWN',
      category: 'connection',
      retryable: true,
      cause,
    });
  }
  if (tag !== 'COMMIT') {
    throw new CcxError('the transaction was rolled back because one of its statements had failed', {
      code: 'DATABASE_ROLLED_BACK',
      category: 'internal',
    });
  }
}

/** Bounded: an abandoned cursor or COPY keeps the connection busy, and ROLLBACK would wait behind it for ever. */
async function rollBack(client: pg.PoolClient, clock: Clock): Promise<void> {
  const rolledBack = client.query('ROLLBACK').then(
    () => undefined,
    // The connection is then discarded on release, which makes the server roll back.
    () => undefined,
  );
  await within(rolledBack, { clock, ms: rollbackMsMax }, () => undefined);
}

async function checkServer(connection: Connection, address: DatabaseAddress): Promise<void> {
  const { rows } = await connection.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  const major = Math.floor((rows[0]?.version ?? 0) / 10_000);
  if (major < serverVersionMin) {
    throw new CcxError(`the database server at ${address.host}:${address.port} is PostgreSQL ${major}`, {
      code: 'DATABASE_TOO_OLD',
      category: 'configuration',
      hint: `use PostgreSQL ${serverVersionMin} or newer in ${address.setting}`,
    });
  }
}
