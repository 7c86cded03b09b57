/**
 * Due issues of one cluster → one mail, whole: header and body as a mail server is given them, text and HTML. It has a Message-ID made of the
 * notification's id, and stands in the thread of its cluster. Nothing of it is fetched from anywhere, and whatever somebody else wrote is
 * text in it: one line, escaped, without what is not seen. Effects: none.
 */
import MailComposer from 'nodemailer/lib/mail-composer';
import type { Issue } from '../../../../contracts/issue.ts';
import {
  EVENT_ISSUE_NEW,
  EVENT_ISSUE_RESOLVED,
  EVENT_TEST,
  type ReceiverEvent,
  riskName,
} from '../../../../contracts/receiver-event.ts';
import { CcxError } from '../../../../encoding/ccx-error.ts';
import type { OutgoingNotification, ReceiverTarget } from '../../ports.ts';
import type { EmailSettings, Mailbox } from '../../receivers/email-settings.ts';
import { type EventLinks, lineOf, newEvent, resolvedEvent, testEvent } from '../describe-event.ts';

/** Issues that a mail names; the others are counted, and behind its link. */
const issuesNamedMax = 100;
/** A subject that is read as a whole in any list of mails. */
const subjectTitleBytesMax = 120;
const wordBytesMax = 200;
const urlBytesMax = 2_000;

interface MailComposerOptions extends EventLinks {
  readonly target: string;
  readonly receiver: string;
  readonly to: Mailbox;
  readonly email: Pick<EmailSettings, 'from' | 'messageIdDomain'>;
}

type Composing = Pick<ReceiverTarget, 'compose' | 'composeTest' | 'reissue'> &
  Required<Pick<ReceiverTarget, 'composeResolved'>>;

export function createMailComposer(options: MailComposerOptions): Composing {
  const of = async (event: ReceiverEvent, issues: readonly Issue[]): Promise<OutgoingNotification> => ({
    id: event.id,
    target: options.target,
    cluster: event.subject,
    issues: issues.map(({ type, component, errorKey }) => ({ type, component, errorKey })),
    body: await composeMail(event, options),
    headers: {},
  });
  return {
    compose: async (cluster, context) => [await of(newEvent(options, cluster, context), cluster.issues)],
    composeResolved: (resolved, context) => of(resolvedEvent(options, resolved, context), [resolved]),
    composeTest: (context) => of(testEvent(options, context), []),
    reissue(notification, context) {
      const id = context.uuid();
      const stamp = { messageId: messageIdOf(id, options.email), date: context.now };
      return { ...notification, id, body: restamped(notification.body, stamp) };
    },
  };
}

/** A repeat has the same, so that whoever files mails by it has one. */
function messageIdOf(id: string, { messageIdDomain }: MailComposerOptions['email']): string {
  return `<${id}@${messageIdDomain}>`;
}

/** What all mails about a cluster refer to, so that "resolved" lies under its "new". There need be no such mail. Source: RFC 5322, 3.6.4. */
function threadOf({ subject }: ReceiverEvent, { messageIdDomain }: MailComposerOptions['email']): string {
  return `<cluster-${subject.replaceAll(/[^0-9A-Za-z-]/g, '')}@${messageIdDomain}>`;
}

async function composeMail(event: ReceiverEvent, { email, receiver, to }: MailComposerOptions): Promise<string> {
  const thread = threadOf(event, email);
  const said = sayingOf(event);
  const mail = new MailComposer({
    from: email.from,
    to,
    subject: said.subject,
    date: new Date(event.time),
    messageId: messageIdOf(event.id, email),
    inReplyTo: thread,
    references: thread,
    // Nobody's absence is answered to us, and no mailing list answers at all. Source: RFC 3834, 5; MS-OXCMAIL, 2.2.3.2.14.
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
    text: textOf(said, receiver),
    html: htmlOf(said, receiver),
    // Only ASCII goes over the wire, whatever the server can.
    encoding: 'quoted-printable',
    baseBoundary: event.id,
    newline: 'win',
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return (await mail.compile().build()).toString('latin1');
}

interface Line {
  readonly title: string;
  /** Risk, and what the rule calls it. */
  readonly about: string;
  readonly url: string;
}

interface Saying {
  readonly subject: string;
  readonly head: string;
  readonly lines: readonly Line[];
  readonly more: number;
  readonly clusterUrl: string;
}

/** What is said, in lines that are safe in a header. */
function sayingOf({ type, subject: id, data }: ReceiverEvent): Saying {
  const cluster = lineOf(id, wordBytesMax);
  const lines = data.issues.slice(0, issuesNamedMax).map(
    ({ title, risk, error_key: key, url }): Line => ({
      title,
      about: `${risk}, ${lineOf(key, wordBytesMax)}`,
      url: linkOf(url),
    }),
  );
  const owner = data.org_id === undefined ? '' : ` of organization ${data.org_id}`;
  const count = data.issues.length;
  const worst = riskName(Math.max(...data.issues.map((issue) => issue.total_risk), 1));
  const first = lineOf(lines[0]?.title ?? '', subjectTitleBytesMax);
  const rest = { lines, more: count - lines.length, clusterUrl: linkOf(data.cluster_url) };
  switch (type) {
    case EVENT_ISSUE_NEW:
      return {
        subject: `[${worst}] ${count === 1 ? first : `${count} recommendations`} for cluster ${cluster}`,
        head: `New ${count === 1 ? 'recommendation' : 'recommendations'} for cluster ${cluster}${owner}:`,
        ...rest,
      };
    case EVENT_ISSUE_RESOLVED:
      return {
        subject: `[resolved] ${first} on cluster ${cluster}`,
        head: `Resolved on cluster ${cluster}${owner}:`,
        ...rest,
      };
    case EVENT_TEST:
      return {
        subject: '[test] CCX Notifications',
        head: 'This is a test of CCX Notifications, and about nothing.',
        ...{ lines: [], more: 0, clusterUrl: '' },
      };
  }
}

/** Empty where it is none that a mail may hold. */
function linkOf(url: string): string {
  return url.length <= urlBytesMax && /^https?:\/\/[\x21-\x7e]+$/i.test(url) ? url : '';
}

function moreText({ more }: Saying): string {
  return more === 0 ? '' : `… and ${more} more`;
}

function footOf(receiver: string): string {
  return `Sent by CCX Notifications, which calls this receiver ${receiver}.`;
}

function textOf(said: Saying, receiver: string): string {
  const lines = said.lines.map(({ title, about, url }) => `* ${title}\n  ${about}${url === '' ? '' : `\n  ${url}`}`);
  const parts = [said.head, ...lines, moreText(said)];
  if (said.clusterUrl !== '') parts.push(`The whole cluster: ${said.clusterUrl}`);
  // By this line mail programs know a signature. Source: RFC 3676, 4.3.
  return `${[...parts.filter((part) => part !== ''), `-- \n${footOf(receiver)}`].join('\n\n')}\n`;
}

function htmlOf(said: Saying, receiver: string): string {
  const link = (url: string, text: string) =>
    url === '' ? escaped(text) : `<a href="${escaped(url)}" rel="noreferrer">${escaped(text)}</a>`;
  const items = said.lines.map(({ title, about, url }) => `<li>${link(url, title)}<br>${escaped(about)}</li>`);
  const parts = [
    `<p>${escaped(said.head)}</p>`,
    ...(items.length === 0 ? [] : [`<ul>\n${items.join('\n')}\n</ul>`]),
    ...(said.more === 0 ? [] : [`<p>${escaped(moreText(said))}</p>`]),
    ...(said.clusterUrl === '' ? [] : [`<p>${link(said.clusterUrl, 'The whole cluster')}</p>`]),
    `<p><small>${escaped(footOf(receiver))}</small></p>`,
  ];
  return `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"></head><body>\n${parts.join('\n')}\n</body></html>\n`;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character]!);
}

/** The same mail under another id, or of another time. */
function restamped(mail: string, { messageId, date }: { readonly messageId: string; readonly date: Date }): string {
  const end = mail.indexOf('\r\n\r\n');
  let header = mail.slice(0, Math.max(0, end));
  const fields = { 'Message-ID': messageId, Date: date.toUTCString().replace(/GMT$/, '+0000') };
  for (const [name, value] of Object.entries(fields)) {
    const field = new RegExp(`^${name}:(?:[^\\r\\n]|\\r\\n[ \\t])*`, 'im');
    if (!field.test(header))
      throw new CcxError(`the stored mail has no ${name}`, { code: 'MAIL_INVALID', category: 'delivery' });
    header = header.replace(field, () => `${name}: ${value}`);
  }
  return `${header}${mail.slice(end)}`;
}
