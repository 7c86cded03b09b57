/**
 * One database URL → the driver's configuration. Parsed here and not by the driver, because the meaning of `sslmode` has to be the one
 * that operators know from libpq and from the reference (notification-writer.md 2.5): `require` encrypts without verifying. And a database
 * that is named by its parts → one URL. Knows nothing of the driver itself, which is slow to load.
 */
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type pg from 'pg';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { DatabaseAddress } from './database-error.ts';

/** Opening one connection, TLS and authentication included; longer means an address that swallows packets. */
export const connectMsMax = 10_000;
/** First probe of a silent TCP connection; cloud load balancers forget idle connections after a few minutes. */
const keepAliveDelayMs = 30_000;

interface UrlOptions {
  readonly url: string;
  readonly applicationName: string;
  /** The setting that the URL came from, for error texts; and those of login and parameters, where they are others. */
  readonly setting: string;
  readonly loginSetting?: string;
  readonly parametersSetting?: string;
}

const portDefault = 5432;

/** Parameters that are not run-time settings of the server. Everything else goes to the server as it is, like libpq's `options=-c`. */
const ownParameters = new Set([
  'host',
  'port',
  'user',
  'password',
  'dbname',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'connect_timeout',
  'application_name',
  'fallback_application_name',
  'options',
  'client_encoding',
  'timezone',
  'target_session_attrs',
  'binary_parameters',
  'keepalives',
]);

/** Throws `CcxError` code `DATABASE_URL`, which never shows the password. */
export function parseDatabaseUrl(options: UrlOptions) {
  const url = parseUrl(options);
  const parameters = url.searchParams;
  const host = (parameters.get('host') ?? decodeHost(url.hostname)) || 'localhost';
  const user = parameters.get('user') ?? decodePart(url.username, options);
  const password = parameters.get('password') ?? decodePart(url.password, options);
  const database = parameters.get('dbname') ?? decodePart(url.pathname.replace(/^\//, ''), options);
  const port = parsePort(parameters.get('port') ?? url.port, options);
  const client: pg.ClientConfig = {
    host,
    port,
    ...(user === '' ? {} : { user }),
    ...(password === '' ? {} : { password }),
    ...(database === '' ? {} : { database }),
    ssl: tlsOptions(host, parameters, options),
    application_name: parameters.get('application_name') ?? options.applicationName,
    ...optionalOptions(parameters),
    connectionTimeoutMillis: connectTimeoutMs(parameters, options),
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveDelayMs,
  };
  const { setting, loginSetting = setting, parametersSetting = setting } = options;
  const settings = { setting, loginSetting, parametersSetting };
  const address: DatabaseAddress = { host, port, database: database || user, user, ...settings };
  return { address, client };
}

/** The same URL with another database name; parameters stay. */
export function withDatabaseName(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(name)}`;
  changed.searchParams.delete('dbname');
  return changed.href;
}

function parseUrl(options: UrlOptions): URL {
  let url: URL;
  try {
    url = new URL(options.url);
  } catch {
    // The URL parser's own error is left out: it repeats the text, and with it the password.
    throw urlError('it is not a URL; percent-encode reserved characters in user and password', options);
  }
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:') {
    throw urlError(`it starts with ${url.protocol}// instead of postgres://`, options);
  }
  return url;
}

function urlError(problem: string, options: UrlOptions): CcxError {
  return new CcxError(`the database URL cannot be used: ${problem}`, {
    code: 'DATABASE_URL',
    category: 'configuration',
    hint: `write ${options.setting} as postgres://user:password@host:5432/name?sslmode=require`,
  });
}

/** Of parameters that stand in a setting of their own. */
function parameterError(problem: string, options: UrlOptions): CcxError {
  const { parametersSetting } = options;
  if (parametersSetting === undefined) return urlError(problem, options);
  return new CcxError(`the database cannot be used: ${problem}`, {
    code: 'DATABASE_URL',
    category: 'configuration',
    hint: `change ${parametersSetting}, such as sslmode=verify-full&sslrootcert=/etc/ssl/database-ca.pem`,
  });
}

function decodePart(text: string, options: UrlOptions): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw urlError('user, password or name has a % that is not percent-encoding (write %25)', options);
  }
}

function decodeHost(hostname: string): string {
  return decodeURIComponent(hostname).replace(/^\[(.+)\]$/, '$1');
}

function parsePort(text: string, options: UrlOptions): number {
  if (text === '') return portDefault;
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535) throw urlError(`"${text}" is not a port`, options);
  return port;
}

/** Seconds, as in libpq; 0 and absence mean our own limit, because a start that hangs forever helps nobody. */
function connectTimeoutMs(parameters: URLSearchParams, options: UrlOptions): number {
  const text = parameters.get('connect_timeout');
  if (text === null || text === '' || text === '0') return connectMsMax;
  if (!/^\d+$/.test(text)) throw parameterError(`connect_timeout "${text}" is not a number of seconds`, options);
  return Number(text) * 1000;
}

/** `-c name=value …` in the order given. Absent without any: poolers refuse or drop it. What the program relies on is `session.ts`. */
function optionalOptions(parameters: URLSearchParams): { readonly options?: string } {
  const settings = [...parameters]
    .filter(([name]) => !ownParameters.has(name.toLowerCase()))
    .map(([name, value]) => `-c ${name}=${escapeOption(value)}`);
  const given = parameters.get('options');
  const options = [...(given === null || given === '' ? [] : [given]), ...settings].join(' ');
  return options === '' ? {} : { options };
}

function escapeOption(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll(' ', '\\ ');
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host) || host.startsWith('/');
}

/**
 * disable: plain. require: encrypted, not verified (verified against sslrootcert if one is named, as libpq does). verify-ca: the chain.
 * verify-full: chain and host name. Absent: `require`, except on this machine, where nothing can listen in between.
 */
function tlsOptions(host: string, parameters: URLSearchParams, options: UrlOptions): false | ConnectionOptions {
  const given = parameters.get('sslmode') ?? '';
  const mode = given === '' ? (isLoopback(host) ? 'disable' : 'require') : given;
  // A unix socket never speaks TLS, whatever the URL says.
  if (mode === 'disable' || host.startsWith('/')) return false;
  const ca = readCertificate('sslrootcert', parameters, options);
  const client = {
    ca,
    cert: readCertificate('sslcert', parameters, options),
    key: readCertificate('sslkey', parameters, options),
  };
  switch (mode) {
    case 'require':
      return ca === undefined
        ? { ...client, rejectUnauthorized: false }
        : { ...client, rejectUnauthorized: true, checkServerIdentity: () => undefined };
    case 'verify-ca':
      return { ...client, rejectUnauthorized: true, checkServerIdentity: () => undefined };
    case 'verify-full':
      return { ...client, rejectUnauthorized: true };
    default:
      throw parameterError(`sslmode "${mode}" is not one of disable, require, verify-ca, verify-full`, options);
  }
}

function readCertificate(name: string, parameters: URLSearchParams, options: UrlOptions): Buffer | undefined {
  const path = parameters.get(name);
  if (path === null || path === '') return undefined;
  const unusable = (problem: string, cause?: unknown) =>
    new CcxError(`${name} names a file that ${problem}: ${path}`, {
      code: 'DATABASE_URL',
      category: 'configuration',
      cause,
      hint: `change ${name} in ${options.parametersSetting ?? options.setting}`,
    });
  let pem: Buffer;
  try {
    pem = readFileSync(path);
  } catch (cause) {
    throw unusable('cannot be read', cause);
  }
  // Without any the connection would fail later, as if it were the server's fault.
  if (!pem.includes('-----BEGIN ')) throw unusable('holds no PEM');
  return pem;
}

/** Composes a URL from parts as they are. Throws `DATABASE_URL` where host or port is none. Reserved characters are encoded here, which the reference does not do (Q5). */
export function composeDatabaseUrl(parts: {
  readonly user: string;
  readonly password: string;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** The setting that the host came from, for the error text. */
  readonly setting?: string;
  /** Raw query text such as `sslmode=disable`. */
  readonly parameters?: string;
}): string {
  const setting = parts.setting ?? 'the host of the database';
  if (parts.host === '') throw partError(`no database is configured: ${setting} is not set`, setting);
  if (parts.port < 1) throw partError(`no port of the database is configured beside ${setting}`, setting);
  const user = encodeURIComponent(parts.user);
  const password = parts.password === '' ? '' : `:${encodeURIComponent(parts.password)}`;
  const credentials = user === '' && password === '' ? '' : `${user}${password}@`;
  const database = encodeURIComponent(parts.database);
  const query = parts.parameters === undefined || parts.parameters === '' ? '' : `?${parts.parameters}`;
  if (parts.host.startsWith('/')) {
    const socket = new URLSearchParams({ host: parts.host, port: String(parts.port) }).toString();
    return `postgres://${credentials}localhost/${database}?${socket}${query.replace('?', '&')}`;
  }
  const host = parts.host.includes(':') && !parts.host.startsWith('[') ? `[${parts.host}]` : parts.host;
  if (/[/?#@]/.test(host) || !URL.canParse(`postgres://${host}:${parts.port}/`))
    throw partError(`${JSON.stringify(parts.host)} in ${setting} is no host`, setting);
  return `postgres://${credentials}${host}:${parts.port}/${database}${query}`;
}

function partError(message: string, setting: string): CcxError {
  return new CcxError(message, {
    code: 'DATABASE_URL',
    category: 'configuration',
    hint: `set ${setting} and its neighbours`,
  });
}
