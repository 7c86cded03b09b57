/** Keys of `[[receivers]]` that only one of type `email` has. User, password, authority, client certificate and timeout are those of all. */
import type { ListSpec } from '../../../platform/config/options.ts';

export const SMTP_SECURITY = ['starttls', 'tls', 'none'] as const;

export const emailOptions = {
  to: {
    type: 'list',
    default: [],
    description:
      'Of an email: who is told, "ada@example.com" or "Ada <ada@example.com>". Each is sent a mail of its own',
  },
  from: { type: 'string', default: '', description: 'Of an email: the sender that is shown' },
  envelope_from: {
    type: 'string',
    default: '',
    description: 'Of an email: the address that mail servers report failures to; empty: that of from',
  },
  message_id_domain: {
    type: 'string',
    default: '',
    description:
      'Of an email: what stands behind the @ in Message-ID, and what the server is greeted with; empty: the domain of envelope_from',
  },
  smtp_host: { type: 'string', default: '', description: 'Of an email: the mail server' },
  smtp_port: {
    type: 'integer',
    default: 0,
    min: 0,
    max: 65_535,
    description: 'Of an email: its port; 0: 465 with smtp_tls = "tls", else 587',
  },
  smtp_tls: {
    type: 'string',
    default: 'starttls',
    choices: SMTP_SECURITY,
    description:
      'Of an email: starttls, without which nothing is sent; tls from the beginning; none, for a server of this machine',
  },
  rate: {
    type: 'integer',
    default: 10,
    min: 0,
    max: 1_000,
    description: 'Of an email: mails in one second, to all its recipients together. 0: no limit',
  },
} as const satisfies ListSpec['options'];

export const emailKeys = Object.keys(emailOptions) as readonly (keyof typeof emailOptions)[];
