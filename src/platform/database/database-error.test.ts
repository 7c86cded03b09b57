/** Which errors are worth another try: a wrong answer either loses work or repeats a hopeless statement for ever. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CcxError } from '../../encoding/ccx-error.ts';
import {
  isConnectionBroken,
  isRetryableDatabaseError,
  mapConnectError,
  mapStatementError,
  sqlState,
} from './database-error.ts';

const address = {
  ...{ host: 'db.example', port: 5432, database: 'notification', user: 'writer' },
  ...{ setting: '--database', loginSetting: '--database', parametersSetting: '--database' },
};

const serverError = (code: string, message = 'from the server', severity = 'ERROR') =>
  Object.assign(new Error(message), { code, severity });
const nodeError = (code: string) => Object.assign(new Error(`connect ${code}`), { code });

test('lost connections, conflicts, shutdowns and lack of resources are worth another try', () => {
  const retryable: [Error, string][] = [
    [nodeError('ECONNRESET'), 'DATABASE_LOST'],
    [nodeError('EPIPE'), 'DATABASE_LOST'],
    [new Error('Connection terminated unexpectedly'), 'DATABASE_LOST'],
    [new Error('Client has encountered a connection error and is not queryable'), 'DATABASE_LOST'],
    [serverError('08006'), 'DATABASE_LOST'],
    [serverError('25P03', 'idle in transaction', 'FATAL'), 'DATABASE_LOST'],
    ...['57P01', '57P02', '57P03', '57P04', '57P05'].map((state): [Error, string] => [
      serverError(state, 'terminating', 'FATAL'),
      'DATABASE_SHUTDOWN',
    ]),
    [serverError('25006', 'read-only transaction'), 'DATABASE_READ_ONLY'],
    [serverError('40001'), 'DATABASE_CONFLICT'],
    [serverError('40P01'), 'DATABASE_CONFLICT'],
    [serverError('53100'), 'DATABASE_DISK_FULL'],
    [serverError('53200'), 'DATABASE_OVERLOADED'],
    [serverError('53300'), 'DATABASE_OVERLOADED'],
  ];
  for (const [error, code] of retryable) {
    const mapped = mapStatementError(error);
    assert.ok(mapped instanceof CcxError, error.message);
    assert.equal(mapped.code, code);
    assert.equal(mapped.retryable, true);
    assert.equal(mapped.cause, error);
    assert.equal(isRetryableDatabaseError(error), true);
    assert.equal(isRetryableDatabaseError(mapped), true);
  }
});

test("a statement's own error stays the driver's and is not tried again", () => {
  for (const code of ['23505', '22001', '42P01', '57014', '25P02']) {
    const error = serverError(code);
    assert.equal(mapStatementError(error), error);
    assert.equal(isRetryableDatabaseError(error), false);
    assert.equal(sqlState(error), code);
    assert.equal(isConnectionBroken(error), false);
  }
  assert.equal(isRetryableDatabaseError(new Error('anything')), false);
  assert.equal(isRetryableDatabaseError(undefined), false);
  const other = new CcxError('x', { code: 'HTTP_TIMEOUT', category: 'connection', retryable: true });
  assert.equal(isRetryableDatabaseError(other), false);
});

test('a right that is missing has a name, and its SQLSTATE', () => {
  const mapped = mapStatementError(serverError('42501', 'permission denied for table reported'));
  assert.ok(mapped instanceof CcxError);
  assert.deepEqual([mapped.code, mapped.retryable, sqlState(mapped)], ['DATABASE_PERMISSION', false, '42501']);
  assert.equal(isConnectionBroken(mapped.cause), false);
  assert.match(mapped.hint ?? '', /ccx db grants/);
});

test("five letters of Node's own are not taken for an SQLSTATE", () => {
  assert.equal(sqlState(nodeError('EPIPE')), undefined);
  assert.equal(sqlState(nodeError('EPERM')), undefined);
});

test('no connection: each cause has its code, its setting and whether waiting helps', () => {
  const cases: [Error, string, boolean, RegExp][] = [
    [nodeError('ECONNREFUSED'), 'DATABASE_UNREACHABLE', true, /--database/],
    [nodeError('ENOTFOUND'), 'DATABASE_UNREACHABLE', true, /--database/],
    [new Error('timeout expired'), 'DATABASE_UNREACHABLE', true, /--database/],
    [serverError('57P03', 'starting up', 'FATAL'), 'DATABASE_UNREACHABLE', true, /--database/],
    [serverError('28P01', 'password authentication failed', 'FATAL'), 'DATABASE_AUTH', false, /user and password/],
    [
      serverError('28000', 'no pg_hba.conf entry for host, no encryption', 'FATAL'),
      'DATABASE_AUTH',
      false,
      /sslmode=require/,
    ],
    [
      new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'),
      'DATABASE_AUTH',
      false,
      /password/,
    ],
    [serverError('3D000', 'does not exist', 'FATAL'), 'DATABASE_MISSING', false, /CREATE DATABASE "notification"/],
    [
      serverError('42501', 'permission denied for database', 'FATAL'),
      'DATABASE_PERMISSION',
      false,
      /GRANT CONNECT ON DATABASE "notification" TO "writer"/,
    ],
    [serverError('53300', 'too many clients', 'FATAL'), 'DATABASE_OVERLOADED', true, /max_connections/],
    [new Error('The server does not support SSL connections'), 'DATABASE_TLS', false, /sslmode=disable/],
    [nodeError('DEPTH_ZERO_SELF_SIGNED_CERT'), 'DATABASE_TLS', false, /sslrootcert/],
    [nodeError('ERR_TLS_CERT_ALTNAME_INVALID'), 'DATABASE_TLS', false, /sslrootcert/],
    [new Error('timeout exceeded when trying to connect'), 'DATABASE_BUSY', true, /connections/],
    [new Error('Cannot use a pool after calling end on the pool'), 'DATABASE_CLOSED', false, /(?:)/],
    [serverError('0A000', 'unsupported', 'FATAL'), 'DATABASE_REFUSED', false, /--database/],
    // What PgBouncer says, all under one SQLSTATE.
    [serverError('08P01', 'no such user: u', 'FATAL'), 'DATABASE_AUTH', false, /user and password/],
    [serverError('08P01', 'password authentication failed', 'FATAL'), 'DATABASE_AUTH', false, /user and password/],
    [serverError('08P01', 'no such database: d', 'FATAL'), 'DATABASE_MISSING', false, /CREATE DATABASE "notification"/],
    [serverError('08P01', 'no more connections allowed', 'FATAL'), 'DATABASE_OVERLOADED', true, /max_connections/],
    [
      serverError('08P01', 'unsupported startup parameter: options', 'FATAL'),
      'DATABASE_REFUSED',
      false,
      /ALTER ROLE "writer"/,
    ],
    [serverError('08P01', 'server login failed', 'FATAL'), 'DATABASE_UNREACHABLE', true, /--database/],
  ];
  for (const [error, code, retryable, hint] of cases) {
    const mapped = mapConnectError(error, address);
    assert.equal(mapped.code, code, error.message);
    assert.equal(mapped.retryable, retryable, error.message);
    assert.match(mapped.hint ?? '', hint);
    assert.equal(mapped.cause, error);
  }
});

test('an error that already says what it is passes unchanged', () => {
  const error = new CcxError('x', { code: 'DATABASE_AUTH', category: 'configuration' });
  assert.equal(mapConnectError(error, address), error);
  assert.equal(mapStatementError(error), error);
});
