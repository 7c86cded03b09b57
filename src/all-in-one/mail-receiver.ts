/**
 * `ccx all-in-one --mail ada@example.com --smtp mail.example.com`: a receiver of type email without a file, in place of the stand-ins. It is
 * called `mail`. The password comes from the environment, or from a file that it names: flags and addresses are seen by everybody.
 */
import { configInvalid } from '../encoding/ccx-error.ts';
import { environmentName } from '../platform/config/options.ts';
import { notificationServiceRole } from '../services/notification-service/service.ts';
import { type AllInOneSettings, allInOneOptions } from './config.ts';

/** Entry of `[[notifier.receivers]]`; undefined where nobody is to be mailed. Throws `CONFIG_INVALID`. */
export function mailReceiver({ mail, mailPasswordFile }: Pick<AllInOneSettings, 'mail' | 'mailPasswordFile'>) {
  const { to, smtp, from, caFile, username, password } = mail;
  if (to.length === 0 && smtp === '') return undefined;
  if (to.length === 0)
    throw configInvalid('--smtp (mail.smtp) says by which server, and nobody to whom', 'add --mail ADDRESS');
  if (smtp === '') throw configInvalid('--mail (mail.to) says to whom, and nobody by which server', 'add --smtp HOST');
  return notificationServiceRole.receiverEntry({
    ...serverOf(smtp),
    name: 'mail',
    type: 'email',
    to: to.map((address) => address.trim()),
    from: from || `ccx-notifications@${/@([^@<>\s]+)>?\s*$/.exec(to[0]!)?.[1] ?? ''}`,
    send_resolved: true,
    ca_file: caFile,
    ...{ username, password, password_file: mailPasswordFile },
  });
}

function serverOf(text: string) {
  const url = URL.parse(text.includes('://') ? text : `smtp://${text}`);
  if (url?.username || url?.password || text.includes('@')) {
    const name = environmentName(allInOneOptions, 'mail.password');
    throw configInvalid(
      '--smtp (mail.smtp) holds a user or a password, which everybody on this machine could read',
      `leave both out, and set ${environmentName(allInOneOptions, 'mail.username')} and ${name}, or ${name}_FILE`,
    );
  }
  const isServer = url !== null && ['smtp:', 'smtps:'].includes(url.protocol) && url.hostname !== '';
  if (!isServer || !['', '/'].includes(url.pathname) || url.search !== '')
    throw configInvalid('--smtp (mail.smtp) is no mail server', 'write host, host:port, or smtps://host');
  return {
    smtp_host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    smtp_port: Number(url.port),
    smtp_tls: url.protocol === 'smtps:' ? 'tls' : 'starttls',
  };
}
