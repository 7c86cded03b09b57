/**
 * Which errors of the driver and the server are worth another try, and what a person is told when no connection comes about.
 * A statement's own error (a constraint, a missing table) stays the driver's `DatabaseError` with its SQLSTATE; only errors where
 * retrying matters become `CcxError`s.
 */
import { CcxError, type ErrorCategory } from '../../encoding/ccx-error.ts';
import { certificateCodes } from '../http/certificate-refusal.ts';

/** Where a connection leads and which setting says so, for error texts; never with a password. */
export interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly setting: string;
  /** Of user and password, and of `sslmode` and its neighbours: the same, or others. */
  readonly loginSetting: string;
  readonly parametersSetting: string;
}

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** The driver has no codes for these; the texts are pg 8's and pg-pool 3's. */
const lostConnectionText =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|timeout expired|Query read timeout|write after end|This socket has been ended)/;

/** SQLSTATE of a server error, or undefined for anything else. Node's error codes are longer or start with E. */
export function sqlState(error: unknown): string | undefined {
  if (error instanceof CcxError) return sqlState(error.cause);
  const code = codeOf(error);
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !networkCodes.has(code) && severityOf(error) !== undefined
    ? code
    : undefined;
}

/** True where the same work may succeed when it is done again: lost connection, conflict, shutdown, lack of resources. */
export function isRetryableDatabaseError(error: unknown): boolean {
  if (error instanceof CcxError) return error.code.startsWith('DATABASE_') && error.retryable;
  return describeRetryable(error) !== undefined;
}

/**
 * Turns an error where retrying matters into a retryable `CcxError`, and a right that is missing into `DATABASE_PERMISSION`; gives every
 * other error back as it is.
 */
export function mapStatementError(error: unknown): unknown {
  if (error instanceof CcxError) return error;
  if (sqlState(error) === '42501') {
    return new CcxError((error as Error).message, {
      code: 'DATABASE_PERMISSION',
      category: 'storage',
      cause: error,
      hint: 'ccx db grants prints what the roles need; ccx db init makes the tables',
    });
  }
  const description = describeRetryable(error);
  if (description === undefined) return error;
  return new CcxError(description.message, { ...description, retryable: true, cause: error });
}

/** True when the connection itself can no longer be used, whatever the statement was. */
export function isConnectionBroken(error: unknown): boolean {
  const state = sqlState(error);
  if (state === undefined) return isLostConnection(error);
  return state.startsWith('08') || isShutdown(state) || state === readOnly || severityOf(error) === 'FATAL';
}

interface Description {
  readonly message: string;
  readonly code: string;
  readonly category: ErrorCategory;
  readonly retryable?: boolean;
  readonly hint?: string;
}

function describeRetryable(error: unknown): Description | undefined {
  const state = sqlState(error);
  if (state === undefined ? isLostConnection(error) : state.startsWith('08')) {
    return { message: 'the connection to the database broke', code: 'DATABASE_LOST', category: 'connection' };
  }
  if (state === undefined) return undefined;
  if (isShutdown(state)) {
    return {
      message: 'the database server ended the connection: it is going down or coming up, or somebody ended it',
      code: 'DATABASE_SHUTDOWN',
      category: 'connection',
    };
  }
  if (state === readOnly) {
    return {
      message: 'the database is read-only: a standby, or a failover under way',
      code: 'DATABASE_READ_ONLY',
      category: 'connection',
      hint: 'let the database URL lead to the primary, or end default_transaction_read_only on the server, the database or the role',
    };
  }
  if (state === '40001' || state === '40P01') {
    return { message: 'another transaction got in the way', code: 'DATABASE_CONFLICT', category: 'storage' };
  }
  if (state === '53100') {
    return {
      message: 'the disk of the database is full',
      code: 'DATABASE_DISK_FULL',
      category: 'storage',
      hint: 'free space on the volume of the database, or shorten the retention',
    };
  }
  if (state.startsWith('53')) {
    return {
      message: 'the database server lacks resources',
      code: 'DATABASE_OVERLOADED',
      category: 'storage',
      hint: 'raise max_connections or the memory of the server, or lower the number of connections of its clients',
    };
  }
  if (severityOf(error) === 'FATAL') {
    return { message: 'the database server ended the connection', code: 'DATABASE_LOST', category: 'connection' };
  }
  return undefined;
}

/**
 * What to tell when no connection came about. A login that was accepted before may be in the middle of a rotation: then `DATABASE_AUTH` is
 * retryable, too. Codes: `DATABASE_UNREACHABLE` (retryable), `_AUTH`, `_MISSING`, `_PERMISSION`, `_TLS`, `_OVERLOADED`, `_BUSY`, `_CLOSED`, `_REFUSED`.
 */
export function mapConnectError(
  error: unknown,
  address: DatabaseAddress,
  { letIn }: { readonly letIn: boolean } = { letIn: false },
): CcxError {
  if (error instanceof CcxError) return error;
  const state = sqlState(error);
  const described = state === undefined ? describeLocalFailure(error, address) : describeRefusal(state, error, address);
  const retryable = described.retryable === true || (letIn && described.code === 'DATABASE_AUTH');
  return new CcxError(described.message, { ...described, retryable, cause: error });
}

function describeLocalFailure(error: unknown, address: DatabaseAddress): Description {
  const message = error instanceof Error ? error.message : String(error);
  const where = `${address.host}:${address.port}`;
  if (/^timeout exceeded when trying to connect/.test(message)) {
    return {
      message: 'no connection of the pool became free in time',
      code: 'DATABASE_BUSY',
      category: 'connection',
      retryable: true,
      hint: 'allow more connections to this service, or look for a statement that never ends',
    };
  }
  if (/^Cannot use a pool after calling end/.test(message)) {
    return { message: 'the database was closed', code: 'DATABASE_CLOSED', category: 'internal' };
  }
  if (/does not support SSL connections/.test(message)) {
    return {
      message: `the database server at ${where} does not speak TLS`,
      code: 'DATABASE_TLS',
      category: 'configuration',
      hint: `add sslmode=disable to ${address.parametersSetting} if the way there is trusted, or switch TLS on in the server`,
    };
  }
  if (certificateCodes.has(codeOf(error) ?? '')) {
    return {
      message: `the certificate of the database server at ${where} is not trusted`,
      code: 'DATABASE_TLS',
      category: 'configuration',
      hint: `name the right authority with sslrootcert=<file> in ${address.parametersSetting}`,
    };
  }
  if (/client password must be|no password supplied/i.test(message)) {
    return {
      message: `the database server at ${where} wants a password for user "${address.user}"`,
      code: 'DATABASE_AUTH',
      category: 'configuration',
      hint: `put the password into ${address.loginSetting}`,
    };
  }
  return {
    message: `cannot reach the database server at ${where}`,
    code: 'DATABASE_UNREACHABLE',
    category: 'connection',
    retryable: true,
    hint: `check that the server runs and that ${address.setting} names its host and port`,
  };
}

function describeRefusal(answered: string, error: unknown, address: DatabaseAddress): Description {
  const where = `${address.host}:${address.port}`;
  const message = error instanceof Error ? error.message : String(error);
  const state = refusalState(answered, message);
  const parameter = /unsupported startup parameter(?: in options)?: (\w+)/.exec(message)?.[1];
  if (parameter !== undefined) {
    return {
      message: `the pooler at ${where} does not pass the start-up parameter "${parameter}" on`,
      code: 'DATABASE_REFUSED',
      category: 'configuration',
      hint: `take server settings out of ${address.parametersSetting}, and make them the role's (ALTER ROLE ${JSON.stringify(address.user)} SET …)`,
    };
  }
  if (loginRefusals.has(state)) {
    const encryption = /no (pg_hba\.conf entry|encryption)/.test(message);
    return {
      message: encryption
        ? `the database server at ${where} does not let user "${address.user}" in this way`
        : `the database server at ${where} refuses user "${address.user}"`,
      code: 'DATABASE_AUTH',
      category: 'configuration',
      hint: encryption
        ? `add sslmode=require to ${address.parametersSetting} if the server demands TLS, else allow this address in its pg_hba.conf`
        : `correct user and password in ${address.loginSetting}`,
    };
  }
  if (state === '3D000') {
    return {
      message: `the server at ${where} has no database "${address.database}"`,
      code: 'DATABASE_MISSING',
      category: 'configuration',
      hint: `create it (CREATE DATABASE "${address.database}") or name another one in ${address.setting}`,
    };
  }
  if (state === '42501') {
    return {
      message: `user "${address.user}" may not connect to database "${address.database}" at ${where}`,
      code: 'DATABASE_PERMISSION',
      category: 'storage',
      hint: `GRANT CONNECT ON DATABASE "${address.database}" TO "${address.user}"`,
    };
  }
  if (state.startsWith('53')) {
    return {
      message: `the database server at ${where} has no room for another connection`,
      code: 'DATABASE_OVERLOADED',
      category: 'storage',
      retryable: true,
      hint: 'raise max_connections of the server, or lower the number of connections of its clients',
    };
  }
  const temporary = isShutdown(state) || state.startsWith('08');
  return {
    message: temporary
      ? `the database server at ${where} is not ready`
      : `the database server at ${where} refuses the connection`,
    code: temporary ? 'DATABASE_UNREACHABLE' : 'DATABASE_REFUSED',
    category: 'connection',
    retryable: temporary,
    hint: `the server's answer says why; the address comes from ${address.setting}`,
  };
}

/** read_only_sql_transaction. A session may stay so when the server no longer is: what it begins with is read when it begins. */
const readOnly = '25006';

/** admin shutdown, crash shutdown, cannot connect now, database dropped, idle session. */
function isShutdown(state: string): boolean {
  return state.startsWith('57P0');
}

/** What PgBouncer says with the SQLSTATE of any protocol error: the state that PostgreSQL has for it. */
const poolerRefusals: readonly (readonly [RegExp, string])[] = [
  [/authentication failed|no such user/, '28P01'],
  [/no such database/, '3D000'],
  [/no more connections allowed/, '53300'],
];

/** invalid_password, invalid_authorization_specification. */
const loginRefusals: ReadonlySet<string> = new Set(['28P01', '28000']);

/** Whether a server, or a pooler, does not let this user in with this password. */
export function isLoginRefused(error: unknown): boolean {
  const answered = sqlState(error);
  return answered !== undefined && loginRefusals.has(refusalState(answered, (error as Error).message));
}

function refusalState(answered: string, message: string): string {
  return (answered === '08P01' && poolerRefusals.find(([text]) => text.test(message))?.[1]) || answered;
}

/** Of an error that is not the server's. */
function isLostConnection(error: unknown): boolean {
  return error instanceof Error && (networkCodes.has(codeOf(error) ?? '') || lostConnectionText.test(error.message));
}

function codeOf(error: unknown): string | undefined {
  return textMember(error, 'code');
}

function severityOf(error: unknown): string | undefined {
  return textMember(error, 'severity');
}

function textMember(error: unknown, name: 'code' | 'severity'): string | undefined {
  const value = typeof error === 'object' && error !== null ? (error as Record<string, unknown>)[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}
