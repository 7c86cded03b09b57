/** What `ccx explain` prints: the ledger in sentences, and what happened before, for a person. Pure; called by `commands.ts`. */
import { isSimulatedCluster } from '../../contracts/identifiers.ts';
import type { IssueState } from '../../contracts/issue.ts';
import { HELD_UNTIL, isReceiver, TARGET_NOTIFICATIONS_BACKEND } from '../../contracts/tables.ts';
import { CLUSTER_CAP_CODE, reasonSentence, type Standing } from './decide/reasons.ts';
import type {
  ExplainedAcknowledgement,
  ExplainedCluster,
  ExplainedEvent,
  ExplainedIssue,
  ExplainedTarget,
  Explanation,
} from './store/explain.ts';

/** Of the events that are frequent. */
const eventNameCharsMax = 'rule-removed'.length;

/** Names of receivers by number. */
export type ReceiverNames = ReadonlyMap<number, string>;

export function targetName(eventTypeId: number, receivers: ReceiverNames): string {
  if (isReceiver(eventTypeId)) return receivers.get(eventTypeId) ?? `receiver ${eventTypeId}`;
  return eventTypeId === TARGET_NOTIFICATIONS_BACKEND ? 'notification backend' : 'Service Log';
}

/** Timestamps of the database are UTC without a zone. */
export function shown(timestamp: string | null): string {
  return timestamp === null ? '-' : `${timestamp.slice(0, 19)} UTC`;
}

export function formatExplanation(cluster: string, explanation: Explanation): string {
  const parts = explanation.targets.map((target) => {
    const issues = explanation.issues.filter((issue) => issue.event_type_id === target.event_type_id);
    const name = targetName(target.event_type_id, explanation.receivers);
    return [name, ...targetLines(target, name), ...issues.flatMap(issueLines)].join('\n');
  });
  const mark = isSimulatedCluster(cluster) ? ' (simulated)' : '';
  const head = [`cluster ${cluster}${mark}`, ...explanation.clusters.map(clusterLine)].join('\n');
  return [head, ...parts, ...historyPart(explanation)].join('\n\n');
}

/** Receivers are there by their names, those of the cluster only. */
export function explanationAsJson(cluster: string, { receivers, ...explanation }: Explanation): string {
  const targets = explanation.targets.map((target) => {
    const name = receivers.get(target.event_type_id);
    return name === undefined ? target : { ...target, receiver: name };
  });
  return JSON.stringify({ cluster, ...explanation, targets });
}

function clusterLine({ org_id, name, version, state, state_since, last_report_at }: ExplainedCluster): string {
  return [
    `  organization ${org_id}`,
    ...(name === null ? [] : [JSON.stringify(name)]),
    state === 'reporting' ? 'reporting' : `${state} since ${shown(state_since)}`,
    `last report ${shown(last_report_at)}`,
    ...(version === null ? [] : [`OpenShift ${version}`]),
  ].join(', ');
}

function historyPart({ history, historyLength, receivers }: Explanation): string[] {
  if (history.length === 0) return [];
  const earlier = historyLength - history.length;
  const title = earlier === 0 ? 'history' : `history; ${earlier} more before: --history shows all`;
  return [[title, ...history.map((event) => eventLine(event, receivers))].join('\n')];
}

const eventDetails: Readonly<Record<string, string>> = {
  back: 'back before it was resolved',
  recurred: 'again, after it was closed',
};

function eventLine(event: ExplainedEvent, receivers: ReceiverNames): string {
  const { at, error_key, component, event_type_id, notification_id, acknowledgement_id, detail } = event;
  return [
    `  ${shown(at)}  ${event.event.padEnd(eventNameCharsMax)}`,
    error_key === null ? 'the cluster' : `${error_key}  ${component}`,
    ...(event_type_id === null ? [] : [targetName(event_type_id, receivers)]),
    ...[notification_id, acknowledgement_id].flatMap((id) => id ?? []),
    ...(detail === null ? [] : [eventDetails[detail] ?? detail]),
  ].join('  ');
}

function targetLines(target: ExplainedTarget, name: string): string[] {
  const lines = [
    `  report of ${shown(target.report_updated_at)}, decided ${shown(target.decided_at)}${outcomeText(target.outcome)}`,
  ];
  if (target.newest_report_at !== null && target.newest_report_at > target.report_updated_at) {
    lines.push(`  a newer report of ${shown(target.newest_report_at)} waits to be decided`);
  }
  if (target.render_error !== null) lines.push(`  its texts could not be rendered: ${target.render_error}`);
  if (target.waiting > 0) {
    const messages = target.waiting === 1 ? 'a message' : `${target.waiting} messages`;
    lines.push(`  ${messages} about it waiting, the oldest due since ${shown(target.waiting_since)}`);
  }
  if (target.pause_text !== null && target.paused_until !== null) {
    const until = target.paused_until >= HELD_UNTIL ? `ccx receivers resume ${name}` : shown(target.paused_until);
    lines.push(`  the target is paused until ${until}: ${target.pause_text}`);
  }
  return lines;
}

function outcomeText(outcome: string): string {
  if (outcome === 'empty') return ': it contains no issues';
  if (outcome === 'unreadable') return ': it cannot be read';
  return outcome === 'not-allowed' ? ': the list of allowed or blocked clusters leaves the cluster out' : '';
}

function issueLines(issue: ExplainedIssue): string[] {
  const standing = standingOf(issue);
  const id = issue.notification_id === null ? '' : `  (${issue.notification_id}${stateText(issue)})`;
  return [
    '',
    `  ${issue.error_key}  ${issue.component}`,
    `    ${standing}: ${reasonSentence(standing)}${notRunText(issue)}`,
    ...(issue.acknowledgement === null ? [] : [`    ${acknowledgedText(issue.acknowledgement)}`]),
    ...(issue.alertmanager_silence === null ? [] : [`    ${silencedText(issue.alertmanager_silence)}`]),
    `    ${seenText(issue)}`,
    `    last sent ${sentText(issue)}${id}`,
    `    next possible ${nextText(issue)}`,
  ];
}

function seenText(issue: ExplainedIssue): string {
  const { issue_state, first_seen_at, appeared_at, last_seen_at, changed_at, missed } = issue;
  const state = issue_state ?? (issue.resolved_at === null ? 'open' : 'gone');
  const first = `first seen ${shown(first_seen_at)}`;
  const again = appeared_at !== null && appeared_at > first_seen_at ? `, again since ${shown(appeared_at)}` : '';
  const since = shown(changed_at ?? issue.resolved_at);
  const reports = missed !== null && missed > 1 ? ` (${missed} reports without it)` : '';
  const closed: Readonly<Record<Exclude<IssueState, 'open'>, string>> = {
    gone: `gone since ${since}${reports}`,
    resolved: `resolved since ${since}`,
    'rule-removed': `closed since ${since}, as its rule was removed`,
    'cluster-retired': `closed since ${since}, as its cluster was retired`,
  };
  if (state === 'open') return `open, ${first}${again}, last seen ${shown(last_seen_at)}`;
  return `${closed[state]}; ${first}${again}, last seen ${shown(last_seen_at)}`;
}

/** By whom, until when and why; the same words in a dry run. */
export function acknowledgedText(acknowledgement: ExplainedAcknowledgement): string {
  const { id, cluster, orgId, errorKey, until, untilResolved, by, justification, endedAt } = acknowledgement;
  const where = cluster === null ? `organization ${orgId}` : 'this cluster';
  const ends = [
    ...(until === null ? [] : [`until ${shown(until)}`]),
    ...(untilResolved ? ['until it is resolved'] : []),
    ...(until === null && !untilResolved ? ['until it is removed'] : []),
  ].join(' or ');
  const over = endedAt === null ? '' : `; over since ${shown(endedAt)}, it is decided anew`;
  const what = errorKey === null ? 'all keys of the rule' : 'this key';
  return `acknowledged by ${by} for ${where}, ${what}, ${ends}${justification === '' ? '' : `: ${justification}`} (${id})${over}`;
}

function silencedText({ until, by, comment }: NonNullable<ExplainedIssue['alertmanager_silence']>): string {
  return `silenced in Alertmanager until ${shown(until)} by ${by}${comment === '' ? '' : `: ${comment}`}`;
}

function sentText({ state, message_state, last_notified_at }: ExplainedIssue): string {
  const sent = last_notified_at === null ? undefined : shown(last_notified_at);
  const perhaps = state === 'unknown' || (state === 'pending' && message_state === 'unknown');
  if (!perhaps) return sent ?? 'never';
  return sent === undefined ? 'perhaps' : `${sent}, and perhaps again`;
}

function notRunText({ not_run_reason: why }: ExplainedIssue): string {
  return why === null ? '' : ` (${why})`;
}

function stateText(issue: ExplainedIssue): string {
  if (issue.message_state === null) return '';
  const error = issue.error_code === null ? '' : `, ${issue.error_code}: ${issue.error_text ?? ''}`;
  return `, ${issue.message_state}${error}`;
}

function nextText(issue: ExplainedIssue): string {
  const { state, last_reason, message_state, next_attempt_at, resolved_at, next_eligible_at } = issue;
  if (isNotifiedElsewhere(issue)) return 'when the cooldown of that ends; the next run says when';
  if (state === 'notified' && !issue.counts) return 'at once: the record that it was sent is gone from reported';
  if (state === 'pending') {
    const attempt = `next attempt ${shown(next_attempt_at)}`;
    if (message_state === 'unknown') return `it is repeated under its id, ${attempt}`;
    // Still as it was decided, or at least not known to be otherwise.
    if (!isAboutNow(last_reason) || last_reason === 'rule-did-not-run') return `it is on its way, ${attempt}`;
    return 'when what stands against it changes; the notification that waits is withdrawn';
  }
  if (resolved_at !== null) return 'when a report contains it again';
  if (last_reason === 'rule-did-not-run') return 'when its rule has run again';
  if (issue.acknowledgement != null && issue.acknowledgement.endedAt !== null)
    return 'in the next run, if it is still there';
  if (next_eligible_at !== null) return `${shown(next_eligible_at)}, if it is still there`;
  switch (standingOf(issue)) {
    case 'alert-active':
      return 'at the next interval, as long as it is active';
    case 'due':
    case 'not-in-time':
    case 'record-removed':
    case 'render-failed':
      return 'in the next run, if it is still there';
    case 'notified':
    case 'already-notified':
    case 'given-up':
    case 'arrival-unknown':
      return 'with its next report: there is no cooldown';
    case 'not-composable':
      return 'with its next report';
    case 'no-recipient':
    case 'simulated-cluster':
      return 'never';
    default:
      return 'when what stands against it changes';
  }
}

/**
 * Where an issue stands now, for a person: the reason of its last decision is true of the moment of deciding, and its message has gone on
 * since. Pure; called by what `ccx explain` prints.
 */
type StandingIssue = Pick<
  ExplainedIssue,
  'state' | 'last_reason' | 'message_state' | 'error_code' | 'counts' | 'next_eligible_at'
>;

/** Reasons that speak of the notification before, or of there being none: what became of that is the ledger's state. */
const spokenByState: ReadonlySet<string> = new Set<Standing>([
  'new',
  'cooldown-over',
  'recurred',
  'acknowledgement-over',
  'record-removed',
  'tried-again',
  'already-notified',
  'pending',
  'given-up',
  'arrival-unknown',
]);

/** All other reasons are about the report, the rule or the settings, and true whatever became of a message. */
function isAboutNow(reason: string): boolean {
  return !spokenByState.has(reason);
}

/** Its message was withdrawn for the row of somebody else, which the next run takes in, or went out without it. */
function isNotifiedElsewhere({ state, last_reason, message_state, next_eligible_at, counts }: StandingIssue): boolean {
  const withdrawn = state !== 'pending' && message_state === 'withdrawn';
  const leftOut = message_state === null && !(state === 'notified' && counts);
  return (withdrawn || leftOut) && last_reason === 'already-notified' && next_eligible_at === null;
}

/** The name whose sentence is true now; a reason that this version does not know is left as it is. */
function standingOf(issue: StandingIssue): string {
  const { state, last_reason, message_state, error_code, counts } = issue;
  if (isAboutNow(last_reason)) return last_reason;
  if (isNotifiedElsewhere(issue)) return 'already-notified';
  switch (state) {
    case 'open':
      return 'due';
    case 'pending':
      if (error_code === CLUSTER_CAP_CODE) return 'cluster-cap';
      return message_state === 'unknown' ? 'may-have-arrived' : 'on-its-way';
    case 'notified':
      if (!counts) return 'record-removed';
      return last_reason === 'already-notified' ? 'already-notified' : 'notified';
    case 'removed':
      return 'record-removed';
    case 'dead':
      return error_code === 'RETRY_WINDOW_OVER' ? 'not-in-time' : 'given-up';
    case 'unknown':
      return 'arrival-unknown';
  }
}
