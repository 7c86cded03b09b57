/**
 * An entry of type `email` → checked settings. Addresses are read by a library and taken only in the plain form that every mail server
 * understands the same; whatever else one could mean is refused here, before anything is started. Pure.
 */
import { domainToASCII } from 'node:url';
import addressparser from 'nodemailer/lib/addressparser';
import { isForbiddenHost } from '../../../platform/http/forbidden-hosts.ts';
import type { SecretRequest } from '../../../platform/secrets/secret-source.ts';
import type { SMTP_SECURITY } from './email-options.ts';
import { type ReceiverEntry, refuseKeys, secretOf, wrong } from './receiver-entry.ts';

export interface Mailbox {
  /** One line without what is not visible; empty: none. */
  readonly name: string;
  /** `local@domain` in ASCII; the domain in small letters. */
  readonly address: string;
}

export interface SmtpSettings {
  readonly host: string;
  readonly port: number;
  readonly security: (typeof SMTP_SECURITY)[number];
  /** Undefined: none is asked for. */
  readonly login: { readonly username: string; readonly password: SecretRequest } | undefined;
  /** Empty: none. */
  readonly caFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  readonly timeoutMs: number;
  /** What the server is greeted with: never the name of the machine, which changes with each pod. */
  readonly greetsAs: string;
  /** Mails in a second, to all recipients together; 0: no limit. */
  readonly perSecondMax: number;
}

export interface EmailSettings {
  readonly name: string;
  readonly type: 'email';
  readonly recipients: readonly Mailbox[];
  readonly from: Mailbox;
  readonly envelopeFrom: string;
  readonly messageIdDomain: string;
  readonly smtp: SmtpSettings;
}

/** More people are a mailing list: each of these is decided for, and told, by itself. */
export const recipientsMax = 50;
const portOfTls = 465;
const portOfSubmission = 587;
/** Source: RFC 5321, 4.5.3.1.1. */
const localBytesMax = 64;
/** Source: RFC 5322, 3.2.3 (dot-atom), and RFC 1035, 2.3.4. What needs quotes or another encoding is no address that every server takes. */
const localPattern = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i;
const domainPattern = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
const hostPattern = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*)$/i;
/** Controls, direction marks and whatever else is not seen, and line ends that are none of ASCII. */
const unseen = /[\p{C}\p{Zl}\p{Zp}]/u;

const keysOfHttp = [
  ...(['url', 'bearer_token', 'headers', 'proxy_url', 'allow_link_local'] as const),
  ...(['format', 'signing_key', 'signing_key_old'] as const),
];

export function emailSettings(entry: ReceiverEntry): EmailSettings {
  refuseKeys(entry, keysOfHttp);
  const recipients = recipientsOf(entry);
  if (entry.from.trim() === '') throw wrong(entry, 'from', 'is missing', 'set it to the address of the sender');
  const from = mailboxOf(entry, 'from', entry.from);
  const envelopeFrom =
    entry.envelope_from === '' ? from.address : mailboxOf(entry, 'envelope_from', entry.envelope_from).address;
  const messageIdDomain = entry.message_id_domain === '' ? domainOf(envelopeFrom) : idDomainOf(entry);
  return {
    name: entry.name,
    type: 'email',
    ...{ recipients, from, envelopeFrom, messageIdDomain },
    smtp: { ...smtpOf(entry), greetsAs: messageIdDomain },
  };
}

/** One mailbox, as a person writes it; undefined where it is none, or more than one, or not in the plain form. */
export function parseMailbox(text: string): Mailbox | undefined {
  if (unseen.test(text)) return undefined;
  const [mailbox, ...others] = addressparser(text);
  if (mailbox === undefined || others.length > 0 || mailbox.group !== undefined) return undefined;
  const { address, name } = mailbox;
  // What the library makes of a text that is no address must not become one: both halves have to stand there.
  const at = address.lastIndexOf('@');
  const [local, written] = [address.slice(0, Math.max(0, at)), address.slice(at + 1)];
  const domain = domainToASCII(written);
  if (local.length > localBytesMax || !localPattern.test(local) || !domainPattern.test(domain)) return undefined;
  if (!text.includes(`${local}@${written}`)) return undefined;
  return { name: name === address ? '' : name, address: `${local}@${domain}` };
}

function recipientsOf(entry: ReceiverEntry): readonly Mailbox[] {
  if (entry.to.length === 0) throw wrong(entry, 'to', 'is missing', 'set it to ["ada@example.com"]');
  if (entry.to.length > recipientsMax)
    throw wrong(entry, 'to', `holds more than ${recipientsMax} addresses`, 'write to a mailing list');
  const recipients = entry.to.map((text) => mailboxOf(entry, 'to', text));
  const different = new Set(recipients.map(({ address }) => address.toLowerCase()));
  if (different.size < recipients.length) throw wrong(entry, 'to', 'holds an address twice', 'leave one out');
  return recipients;
}

function mailboxOf(entry: ReceiverEntry, key: string, text: string): Mailbox {
  const mailbox = parseMailbox(text);
  if (mailbox !== undefined) return mailbox;
  const hint = 'write each as ada@example.com or "Ada <ada@example.com>", in letters that every mail server takes';
  throw wrong(entry, key, `holds what is no address: ${JSON.stringify(text)}`, hint);
}

function idDomainOf(entry: ReceiverEntry): string {
  const domain = domainToASCII(entry.message_id_domain);
  if (domainPattern.test(domain)) return domain;
  throw wrong(entry, 'message_id_domain', 'is no domain', 'write one of yours, such as example.com');
}

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1);
}

function smtpOf(entry: ReceiverEntry): Omit<SmtpSettings, 'greetsAs'> {
  const { smtp_host: host, smtp_port: port, username, password } = entry;
  if (host === '') throw wrong(entry, 'smtp_host', 'is missing', 'set it to the name of the mail server');
  if (!hostPattern.test(host))
    throw wrong(entry, 'smtp_host', 'is no name of a server', 'write it without scheme, port, user and password');
  if (isForbiddenHost(host))
    throw wrong(entry, 'smtp_host', 'is link-local, or where a cloud keeps credentials', 'change it');
  const security = entry.smtp_tls as SmtpSettings['security'];
  const hasCert = entry.client_cert_file !== '';
  if (hasCert !== (entry.client_key_file !== ''))
    throw wrong(entry, hasCert ? 'client_key_file' : 'client_cert_file', 'is missing', 'set both, or neither');
  if (security === 'none') {
    for (const key of ['username', 'password', 'ca_file', 'client_cert_file'] as const)
      if (entry[key] !== '')
        throw wrong(entry, key, 'is set, and smtp_tls is none', 'set smtp_tls to starttls or tls, or leave it out');
  }
  if (username === '' && password !== '') throw wrong(entry, 'username', 'is missing', 'set it');
  if (username !== '' && password === '')
    throw wrong(entry, 'password', 'is missing', 'set password_file, or password');
  return {
    ...{ host, security },
    port: port === 0 ? (security === 'tls' ? portOfTls : portOfSubmission) : port,
    login: username === '' ? undefined : { username, password: secretOf(entry, 'password') },
    caFile: entry.ca_file,
    clientCertFile: entry.client_cert_file,
    clientKeyFile: entry.client_key_file,
    timeoutMs: entry.timeout,
    perSecondMax: entry.rate,
  };
}
