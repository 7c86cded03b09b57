/** What `ccx notifications` prints for a person: a message as one line, all of one, and what became of a wish. Pure. */
import type { RecordedTraceEvent } from '../../platform/records/trace-log.ts';
import { WISH_REASONS } from './decide/judge-wish.ts';
import { currentReason, reasonSentence } from './decide/reasons.ts';
import { type ReceiverNames, shown, targetName } from './format-explanation.ts';
import type { Granted, ListedMessage, NamedIssue, Wish } from './store/messages.ts';

/** Everything about one message. */
export interface MessageInFull extends Omit<ListedMessage, 'issues'> {
  readonly issues: readonly NamedIssue[];
  /** The message that it was sent in place of. */
  readonly replaces: string | null;
  /** Of its request, oldest first. */
  readonly trace: readonly RecordedTraceEvent[];
}

export function formatMessage(message: ListedMessage, receivers: ReceiverNames): string {
  const about = message.about === 'resolved' ? 'resolved: ' : '';
  const keys = `${about}${message.issues.map((issue) => issue.errorKey).join(', ')}`;
  const error = message.error_code === null ? '' : `  ${errorText(message)}`;
  const when = shown(message.finished_at ?? message.next_attempt_at ?? message.decided_at);
  return `${message.id}  ${message.state.padEnd(9)}  ${when}  ${targetName(message.event_type_id, receivers)}  ${message.cluster}  ${keys}${error}${deedText(message)}`;
}

function errorText({ error_code, error_text }: Pick<ListedMessage, 'error_code' | 'error_text'>): string {
  return `${error_code}: ${error_text ?? ''}`;
}

function deedText({ replaced_by, discarded_at }: ListedMessage): string {
  if (replaced_by !== null) return `  (sent again as ${replaced_by})`;
  return discarded_at === null ? '' : '  (discarded)';
}

/** Ends with the body, byte for byte. */
export function formatMessageInFull(message: MessageInFull, receivers: ReceiverNames): string {
  const { state, finished_at, next_attempt_at, may_have_arrived, error_code, request_id, discarded_at } = message;
  const facts: readonly (readonly [string, string | null])[] = [
    ['notification', message.id],
    ['state', state === 'unknown' && finished_at !== null ? 'unknown, and not repeated any more' : state],
    ['says', message.about === 'resolved' ? 'that its issue is resolved' : null],
    ['target', targetName(message.event_type_id, receivers)],
    ['cluster', message.cluster],
    ['organization', String(message.org_id)],
    ['report of', shown(message.report_updated_at)],
    ['decided', shown(message.decided_at)],
    ['due', shown(message.due_at)],
    [
      'attempts',
      `${message.attempts}${may_have_arrived && state !== 'delivered' ? ', one of which may have arrived' : ''}`,
    ],
    ['first', shownOrNone(message.first_attempt_at)],
    ['last', shownOrNone(message.last_attempt_at)],
    [state === 'claimed' ? 'lease ends' : 'next', shownOrNone(next_attempt_at)],
    ['delivered', shownOrNone(message.delivered_at)],
    ['finished', shownOrNone(finished_at)],
    ['row', message.reported_at === null ? null : `reported, notified_at ${message.reported_at}`],
    ['error', error_code === null ? null : errorText(message)],
    ['in place of', message.replaces],
    ['to be resent', shownOrNone(message.retry_requested_at)],
    ['sent again as', message.replaced_by],
    [
      'discarded',
      discarded_at === null ? null : [shown(discarded_at), message.discard_note].filter(Boolean).join(': '),
    ],
    ['request', request_id ?? 'not known'],
  ];
  const headers = Object.entries(message.headers).map(([name, value]) => `  ${name}: ${value}`);
  return [
    ...facts.flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(15)}${value}`])),
    ...['', 'issues', ...message.issues.map((issue) => `  ${issueText(issue, message.id)}`)],
    ...(message.trace.length === 0 ? [] : ['', `trace of the request`, ...message.trace.map(traceLine)]),
    ...['', 'headers', ...headers, '', 'body', message.body],
  ].join('\n');
}

function shownOrNone(timestamp: string | null): string | null {
  return timestamp === null ? null : shown(timestamp);
}

function issueText({ errorKey, component, state, last_reason, notification_id }: NamedIssue, id: string): string {
  const name = `${errorKey}  ${component}`;
  if (state === null || last_reason === null) return `${name}  the ledger does not know it any more`;
  const reason = currentReason(last_reason);
  const later = notification_id === null || notification_id === id ? '' : `, told by ${notification_id} since`;
  return `${name}  ${state}${later}  ${reason}: ${reasonSentence(reason)}`;
}

function traceLine({ at, service, status, hop, detail }: RecordedTraceEvent): string {
  const where = hop === undefined ? '      ' : `hop ${hop}`.padEnd(6);
  return `  ${shown(at.replace('T', ' '))}  ${where}  ${service}  ${status}${detail === undefined ? '' : `  ${detail}`}`;
}

/** `<id> will be sent under a new id` */
export function formatGranted({ id, judgement, replacedBy }: Granted, { deed, isDryRun }: Wish): string {
  if (judgement.kind === 'possible') {
    const done = deed === 'retry' ? 'will be sent under a new id' : 'is discarded';
    const would = deed === 'retry' ? 'would be sent under a new id' : 'would be discarded';
    return `${id} ${isDryRun ? would : done}`;
  }
  const as = judgement.reason === 'sent-again' ? `, as ${replacedBy}` : '';
  const kind = judgement.kind === 'done-before' ? 'nothing to do' : 'not possible';
  return `${id} ${WISH_REASONS[judgement.reason]}${as} (${kind}: ${judgement.reason})`;
}
