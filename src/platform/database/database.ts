/**
 * PostgreSQL as our services use it: statements, transactions, a borrowed connection for cursors, COPY and LISTEN. Timestamps stay
 * text and bigint stays bigint: a JavaScript Date would cut microseconds and the row would then not be found again.
 */
import type pg from 'pg';
import type { Clock } from '../clock/clock.ts';
import type { RotatedUrl } from './rotated-login.ts';

export interface QueryResult<Row> {
  readonly rows: Row[];
  readonly rowCount: number;
}

/**
 * `anew`: the server plans the statement each time, for these values. `kept`: each connection plans it once, for any values, and keeps that
 * plan; only for a constant text whose tables are read by key, so that no value, and no number of rows in an array, asks for another plan.
 * Behind a pooler, which changes the session between two transactions, all are planned anew.
 */
export interface Planning {
  readonly plan?: 'anew' | 'kept';
}

export interface Queryable {
  /** Rows as objects by column name. A statement of its own with a kept plan leaves it to the server whether that is as good. */
  query<Row extends object = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    how?: Planning,
  ): Promise<QueryResult<Row>>;
}

/** A connection borrowed from the pool; `client` is the driver's own, for cursors and COPY streams. */
export interface Connection extends Queryable {
  readonly client: pg.PoolClient;
}

/** `plan` is that of every statement of the transaction; a kept one reads each table by an index. */
export interface TransactionOptions extends Planning {
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable';
  readonly readOnly?: boolean;
}

export interface Database extends Queryable {
  /** Commits what `work` did when it resolves; rolls back and rethrows when it rejects. A failed commit rejects too. */
  transaction<T>(work: (tx: Connection) => Promise<T>, options?: TransactionOptions): Promise<T>;
  withConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
  /** Calls `onNotify` for each NOTIFY, and once after every reconnect (something may have been missed). Resolves to its stop function. */
  listen(channel: string, onNotify: (payload: string) => void): Promise<() => Promise<void>>;
  /** Rejects with a clear `CcxError` when the server cannot be used now. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** Where a database is, and which settings say so. */
export interface DatabaseLocation {
  /** `postgres://user:password@host:port/name?sslmode=…`, reserved characters percent-encoded. */
  readonly url: string;
  /** The setting that `url` came from, for the hints of errors; default `--database`. */
  readonly setting?: string;
  /** Those of user and password, and of `sslmode` and its neighbours, where they are others. */
  readonly loginSetting?: string;
  readonly parametersSetting?: string;
  /** Where user and password may change while the program runs. */
  readonly rotated?: RotatedUrl;
}

export interface DatabaseOptions extends DatabaseLocation {
  readonly applicationName: string;
  readonly connectionsMax?: number;
  /** After which a pooled connection is replaced. */
  readonly connectionAgeMs?: number;
  /** Paces reconnects of `listen`; the system's clock by default. */
  readonly clock?: Clock;
}
