/**
 * What a session has to be like, so that timestamps and texts mean the same in every one: UTC, ISO dates, UTF-8. It is asked for with
 * start-up parameters of its own and not with `options`, because poolers know these and keep them per client (PgBouncer drops or refuses
 * `options`), and it is checked by what the server reports, because some pooler may drop everything. Used by the pool and by LISTEN.
 */
import pg from 'pg';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Connection } from './database.ts';
import type { DatabaseAddress } from './database-error.ts';
import { planAgeMsMax, planStatementsMax } from './kept-plans.ts';
import type { RotatedLogin } from './rotated-login.ts';

/** What the driver has and its types leave out. */
declare module 'pg' {
  interface Client {
    readonly connection: import('pg').Connection;
    /** Of the session as the server, or a pooler, named it at the start; null where it did not. */
    readonly processID: number | null;
    readonly connectionParameters: { user: string };
    getStartupConf(): Record<string, string>;
  }
}

/** As servers report them, or PgBouncer would set them again at every transaction. The driver itself asks for UTF-8. */
const startupParameters = { TimeZone: 'UTC', DateStyle: 'ISO, MDY' } as const;

const requirements = [
  { name: 'TimeZone', wanted: 'UTC', fits: /^(Etc\/)?(UTC|UCT|Zulu|Universal|GMT|Greenwich)$/i },
  { name: 'DateStyle', wanted: 'ISO, MDY', fits: /^ISO\b/i },
  { name: 'client_encoding', wanted: 'UTF8', fits: /^(UTF-?8|UNICODE)$/i },
] as const;

type SettingName = (typeof requirements)[number]['name'];

/**
 * How column values arrive in JavaScript, per connection and not in the driver's global table: timestamps, dates and intervals stay
 * PostgreSQL's text, because a Date cuts microseconds and reads zoneless text in local time; int8 becomes bigint, because a number
 * loses offsets past 2^53. Everything else is the driver's default (int4 number, numeric text, bytea Buffer, json parsed).
 */
const oidInt8 = 20;
const oidInt8Array = 1016;
const oidTextArray: number = 1009;
const asText = (value: string): string => value;
const asBigInt = (value: string): bigint => BigInt(value);

/** date, time, timestamp, timestamptz, interval, timetz. */
const textOids = [1082, 1083, 1114, 1184, 1186, 1266];
/** The array types of the above. */
const textArrayOids = [1182, 1183, 1115, 1185, 1187, 1270];

type TextParser = (value: string) => unknown;
type TextArray = readonly (string | null | TextArray)[];

/** The driver's parser of text[], which leaves elements alone. */
const parseTextArray = pg.types.getTypeParser(oidTextArray, 'text') as (value: string) => TextArray;

function eachElement(array: TextArray, convert: (value: string) => unknown): unknown[] {
  return array.map((item) =>
    item === null ? null : typeof item === 'string' ? convert(item) : eachElement(item, convert),
  );
}

const parsers: ReadonlyMap<number, TextParser> = new Map<number, TextParser>([
  [oidInt8, asBigInt],
  [oidInt8Array, (value) => eachElement(parseTextArray(value), asBigInt)],
  ...textOids.map((oid): [number, TextParser] => [oid, asText]),
  ...textArrayOids.map((oid): [number, TextParser] => [oid, parseTextArray]),
]);

/** For `types` of a driver configuration. */
const rowTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    (format ?? 'text') === 'text' && parsers.has(oid)
      ? parsers.get(oid)
      : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
};

/** When it is for a pool: the time of its clock, and how many statements it has run. */
interface PoolMoment {
  readonly ms: number;
  readonly statements: number;
}

export class SessionClient extends pg.Client {
  readonly #options: string | undefined;
  readonly #login: RotatedLogin | undefined;
  readonly #reported = new Map<string, string>();
  #optionsChecked = false;
  #keepsPlans: boolean | undefined;
  #planned: PoolMoment | undefined;

  constructor(config: pg.ClientConfig, login: RotatedLogin | undefined) {
    super({ ...config, types: rowTypes });
    this.#options = config.options;
    this.#login = login;
    // Between the pool's listener and the borrower's nobody else listens, and a server that ends a connection as soon as it has begun
    // would end this process. The next statement says what happened.
    this.on('error', () => undefined);
    this.connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
      this.#reported.set(parameterName, parameterValue);
    });
  }

  /** By the pool with a callback, by LISTEN without one. With the login that is in force now. */
  override connect(): Promise<pg.Client>;
  override connect(callback: (error: Error) => void): void;
  override connect(callback?: (error: Error) => void): Promise<pg.Client> | undefined {
    const connecting = this.#connectNow();
    if (callback === undefined) return connecting;
    connecting.then(() => (callback as (error?: Error) => void)(), callback);
    return undefined;
  }

  async #connectNow(): Promise<pg.Client> {
    if (this.#login !== undefined) {
      const { user, password } = await this.#login.current();
      this.user = user;
      this.connectionParameters.user = user;
      this.password = password;
    }
    return await super.connect();
  }

  /** Called by the driver. What comes after `options` counts. */
  override getStartupConf(): Record<string, string> {
    const { options: _ofTheEnvironment, ...parameters } = super.getStartupConf();
    return { ...parameters, ...(this.#options === undefined ? {} : { options: this.#options }), ...startupParameters };
  }

  /** Rejects with `DATABASE_SESSION`. Asks nothing where the server has reported by itself, as PostgreSQL and PgBouncer do. */
  async requireSettings(address: DatabaseAddress): Promise<void> {
    if (requirements.some(({ name }) => !this.#reported.has(name))) {
      for (const { name } of requirements) {
        const { rows } = await this.query<{ value: string }>('SELECT current_setting($1) AS value', [name]);
        this.#reported.set(name, rows[0]!.value);
      }
    }
    for (const { name, wanted, fits } of requirements) {
      const value = this.#reported.get(name) ?? '';
      if (!fits.test(value)) throw wrongSession({ name, wanted, value }, address);
    }
    if (this.#options !== undefined && !this.#optionsChecked) {
      const { rows } = await this.query<{ name: string }>(
        `SELECT name FROM pg_settings WHERE lower(name) = ANY($1::text[]) AND source NOT IN ('client', 'session')`,
        [settingNames(this.#options)],
      );
      if (rows[0] !== undefined) throw droppedSetting(rows[0].name, address);
      this.#optionsChecked = true;
    }
  }

  /** Whether plans may be kept in the session, which is asked once; those that have become old are made again. */
  async keepsPlans(now: PoolMoment): Promise<boolean> {
    this.#keepsPlans ??= !(await this.isPooled());
    this.#planned ??= now;
    const { ms, statements } = this.#planned;
    if (this.#keepsPlans && now.ms - ms >= planAgeMsMax && now.statements - statements >= planStatementsMax) {
      this.#planned = now;
      await this.query('DISCARD PLANS');
    }
    return this.#keepsPlans;
  }

  /** Every statement is planned anew from here on. */
  losePlans(): void {
    this.#keepsPlans = false;
  }

  /** True where a pooler is in between: its sessions are not those of the server, and may change between two transactions. */
  async isPooled(): Promise<boolean> {
    const { rows } = await this.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return rows[0]!.pid !== this.processID;
  }
}

/** Of `-c name=value --other-name=value`. */
function settingNames(options: string): string[] {
  return [...options.matchAll(/(?:^|\s)(?:-c\s*|--)([\w.-]+)=/g)].map(([, name]) =>
    name!.toLowerCase().replaceAll('-', '_'),
  );
}

function droppedSetting(name: string, address: DatabaseAddress): CcxError {
  return sessionError(
    `the pooler at ${address.host}:${address.port} drops the server setting "${name}" that ${address.setting} asks for`,
    `take it out of ${address.setting}, and make it the role's: ALTER ROLE ${pg.escapeIdentifier(address.user)} SET ${name} TO …`,
  );
}

function wrongSession(
  { name, wanted, value }: { readonly name: SettingName; readonly wanted: string; readonly value: string },
  address: DatabaseAddress,
): CcxError {
  return sessionError(
    `sessions of the database at ${address.host}:${address.port} have ${name} "${value}" instead of "${wanted}", although it was asked for`,
    `let the pooler that ${address.setting} leads to pass ${name} on (PgBouncer: take it out of ignore_startup_parameters), or run ALTER ROLE ${pg.escapeIdentifier(address.user)} SET ${name} TO '${wanted}'`,
  );
}

function sessionError(message: string, hint: string): CcxError {
  return new CcxError(message, { code: 'DATABASE_SESSION', category: 'configuration', hint });
}

/**
 * A transaction of which nothing is left a second after its program died or was interrupted. Else a statement that waits for a table goes
 * on waiting on the server, and everybody else waits behind it. For those that take the whole table; PostgreSQL 13 and servers on systems
 * that cannot tell go on as they did.
 */
export async function endWithClient(tx: Connection): Promise<void> {
  await tx.query(
    `DO $$ BEGIN PERFORM set_config('client_connection_check_interval', '1s', true); EXCEPTION WHEN OTHERS THEN NULL; END $$`,
  );
}
