/** A database that is named by its parts → one URL, reserved characters encoded. Knows nothing of the driver, which is slow to load. */
import { CcxError } from '../../encoding/ccx-error.ts';

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
