/**
 * Entries of `[[receivers]]` → checked settings, one error for each wrong one, which names the key and the receiver. Opens nothing and reads
 * no file but those that `<key>_file` names, which were read before. Pure; used at the start, by dry runs and by `ccx receivers`.
 */
import { configInvalid } from '../../../encoding/ccx-error.ts';
import { isForbiddenHost } from '../../../platform/http/forbidden-hosts.ts';
import type { SecretRequest } from '../../../platform/secrets/secret-source.ts';
import { alertmanagerKeys } from './alertmanager-options.ts';
import {
  type AlertmanagerSettings,
  addressesFault,
  addressesOf,
  alertmanagerSettings,
} from './alertmanager-settings.ts';
import { emailKeys } from './email-options.ts';
import { type EmailSettings, emailSettings } from './email-settings.ts';
import {
  type HttpReceiverSettings,
  isInVault,
  type ReceiverEntry,
  refuseKeys,
  secretOf,
  wrong,
} from './receiver-entry.ts';

export interface WebhookSettings extends HttpReceiverSettings {
  readonly name: string;
  readonly type: 'webhook';
  readonly format: 'cloudevents' | 'slack';
  /** The newest first; empty for `slack`. */
  readonly signingKeys: readonly SecretRequest[];
}

interface ReceiverSettings {
  readonly policy: ReturnType<typeof policyOfEntry>;
  readonly settings: AlertmanagerSettings | WebhookSettings | EmailSettings;
}

/** What is kept by the names of the two targets must not be found by a receiver's. */
const reservedNames: ReadonlySet<string> = new Set(['kafka', 'service_log', 'service-log', 'notification-backend']);
const namePattern = /^[a-z][a-z0-9-]{0,62}$/;
const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const headerPattern = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/;
/** Those that the message has by itself. */
const ownHeaders =
  /^(authorization|proxy-authorization|content-(type|length|encoding)|host|connection|transfer-encoding|webhook-.*)$/i;
/** Source: Standard Webhooks, "Symmetric". */
const signingKeyBytesMin = 24;
const signingKeyBytesMax = 64;

/** In the order of the file. Throws `CONFIG_INVALID`. */
export function receiverSettings(entries: readonly ReceiverEntry[]): readonly ReceiverSettings[] {
  return entries.map(settingsOfEntry);
}

function settingsOfEntry(entry: ReceiverEntry): ReceiverSettings {
  const { name } = entry;
  if (!namePattern.test(name) || reservedNames.has(name)) {
    throw configInvalid(
      `${JSON.stringify(name)} cannot be the name of a receiver`,
      'change name in [[receivers]] to small letters, digits and dashes, a letter first; kafka and service-log are taken',
    );
  }
  const policy = policyOfEntry(entry);
  switch (entry.type) {
    case 'webhook':
      refuseKeys(entry, [...alertmanagerKeys, ...emailKeys]);
      return { policy, settings: webhookSettings(entry) };
    case 'email':
      refuseKeys(entry, alertmanagerKeys);
      return { policy, settings: emailSettings(entry) };
    case 'alertmanager':
      refuseKeys(entry, emailKeys);
      return {
        // It has neither a cooldown nor messages of its own about what is resolved: an alert ends.
        policy: { ...policy, cooldown: '0', sendResolved: false },
        settings: alertmanagerSettings(entry, () => httpSettings(entry)),
      };
    default:
      throw wrong(entry, 'type', 'is none that there is', 'write alertmanager, webhook or email');
  }
}

function policyOfEntry(entry: ReceiverEntry) {
  const section = `receivers.${entry.name}`;
  const clusters = entry.clusters.map((text) => text.trim().toLowerCase());
  const organizations = entry.organizations.map((text) => (/^\d{1,10}$/.test(text.trim()) ? Number(text) : -1));
  if (!clusters.every((text) => uuidPattern.test(text)))
    throw wrong(entry, 'clusters', 'holds what is no UUID', 'write the ids of clusters');
  if (organizations.includes(-1))
    throw wrong(entry, 'organizations', 'holds what is no number', 'write the numbers of organizations');
  return {
    section,
    cooldown: entry.cooldown,
    negativeCooldown: 'refused' as 'none' | 'refused',
    eventFilter: entry.event_filter,
    likelihoodThreshold: entry.likelihood_threshold,
    impactThreshold: entry.impact_threshold,
    severityThreshold: entry.severity_threshold,
    totalRiskThreshold: entry.total_risk_threshold,
    tagFilterEnabled: entry.tags.length > 0,
    tags: entry.tags,
    clusterCap: entry.cluster_cap,
    sendResolved: entry.send_resolved,
    scope: { organizations: new Set(organizations), clusters: new Set(clusters) },
  };
}

function webhookSettings(entry: ReceiverEntry): WebhookSettings {
  const format = entry.format as WebhookSettings['format'];
  const isSigned = format === 'cloudevents';
  if (isSigned && entry.signing_key === '')
    throw wrong(
      entry,
      'signing_key',
      'is missing',
      `set it, or signing_key_file: whsec_ and the output of openssl rand -base64 32`,
    );
  for (const key of ['signing_key', 'signing_key_old'] as const) {
    if (entry[key] === '') continue;
    if (!isSigned) throw wrong(entry, key, 'has no effect with the format slack', 'leave it out');
    if (!isInVault(entry[key]) && signingKeyBytes(entry[key]) === undefined)
      throw wrong(entry, key, 'is no key', 'write whsec_ and the output of openssl rand -base64 32');
  }
  return {
    name: entry.name,
    type: 'webhook',
    format,
    signingKeys: (['signing_key', 'signing_key_old'] as const).flatMap((key) =>
      entry[key] === '' ? [] : [secretOf(entry, key)],
    ),
    ...httpSettings(entry),
  };
}

/** The bytes of a key as Standard Webhooks writes it; undefined where it is none. */
export function signingKeyBytes(text: string): Buffer | undefined {
  const base64 = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text.trim())?.[1];
  if (base64 === undefined) return undefined;
  const bytes = Buffer.from(base64, 'base64');
  return bytes.length >= signingKeyBytesMin && bytes.length <= signingKeyBytesMax ? bytes : undefined;
}

function httpSettings(entry: ReceiverEntry): HttpReceiverSettings {
  if (entry.url === '') throw wrong(entry, 'url', 'is missing', 'set it, or url_file');
  if (!isInVault(entry.url)) checkUrl(entry);
  const hasCert = entry.client_cert_file !== '';
  if (hasCert !== (entry.client_key_file !== ''))
    throw wrong(entry, hasCert ? 'client_key_file' : 'client_cert_file', 'is missing', 'set both, or neither');
  return {
    url: secretOf(entry, 'url'),
    authorization: authorizationOf(entry),
    headers: headersOf(entry),
    caFile: entry.ca_file,
    clientCertFile: entry.client_cert_file,
    clientKeyFile: entry.client_key_file,
    proxyUrl: entry.proxy_url === '' ? undefined : checkedProxy(entry),
    timeoutMs: entry.timeout,
    allowLinkLocal: entry.allow_link_local,
  };
}

function checkUrl(entry: ReceiverEntry): void {
  const urls = urlsOf(entry.type, entry.url);
  const why = urlsFault(urls, entry.allow_link_local);
  if (why !== undefined) throw wrong(entry, 'url', why.message, why.hint);
}

function urlsOf(type: string, text: string): readonly string[] {
  return type === 'alertmanager' ? addressesOf(text) : [text];
}

function urlsFault(urls: readonly string[], allowLinkLocal: boolean) {
  return addressesFault(urls) ?? urls.map((url) => urlFault(url, allowLinkLocal)).find((fault) => fault !== undefined);
}

/** Undefined: it can be used. Never names the address, which may hold a secret. */
export function urlFault(
  text: string,
  allowLinkLocal: boolean,
): { readonly message: string; readonly hint: string } | undefined {
  const url = /[\u0000-\u0020\u007f]/.test(text) ? null : URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    return { message: 'is no address', hint: 'write https://host/path' };
  if (url.username !== '' || url.password !== '')
    return { message: 'holds a user or a password', hint: 'set username and password apart' };
  if (!allowLinkLocal && isForbiddenHost(url.hostname.replace(/^\[(.*)\]$/, '$1')))
    return {
      message: 'is link-local, or where a cloud keeps the credentials of its machines',
      hint: 'set allow_link_local to true where that is meant',
    };
  return undefined;
}

function checkedProxy(entry: ReceiverEntry): string {
  const url = URL.parse(entry.proxy_url);
  if (url !== null && ['http:', 'https:'].includes(url.protocol) && url.pathname === '/') return entry.proxy_url;
  throw wrong(entry, 'proxy_url', 'is no address of a proxy', 'write http://host:port');
}

function authorizationOf(entry: ReceiverEntry): HttpReceiverSettings['authorization'] {
  const { username, bearer_token: token, password } = entry;
  if (token !== '' && (username !== '' || password !== ''))
    throw wrong(entry, 'bearer_token', 'is set beside username and password', 'set only one of them');
  if (token !== '') return { kind: 'bearer', token: secretOf(entry, 'bearer_token') };
  if (username === '' && password === '') return { kind: 'none' };
  if (username === '' || username.includes(':'))
    throw wrong(entry, 'username', 'is missing or has a colon', 'change it');
  if (password === '') throw wrong(entry, 'password', 'is missing', 'set it, or password_file');
  return { kind: 'basic', username, password: secretOf(entry, 'password') };
}

function headersOf(entry: ReceiverEntry): Readonly<Record<string, string>> {
  return Object.fromEntries(
    entry.headers.map((line) => {
      const [, name, value] = headerPattern.exec(line) ?? [];
      if (name === undefined || value === undefined)
        throw wrong(entry, 'headers', 'holds what is no header', 'write each as "Name: value"');
      if (ownHeaders.test(name)) throw wrong(entry, 'headers', `sets ${name}, which is not its to set`, 'leave it out');
      return [name, value];
    }),
  );
}

/** `https://hooks.example.com/…`: the path is a secret of many. */
export function maskedUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null) return '…';
  const rest = url.pathname === '/' && url.search === '' ? '/' : '/…';
  return `${url.protocol}//${url.host}${rest}`;
}
