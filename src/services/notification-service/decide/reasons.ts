/**
 * Every answer that a decision can have, by name, with the one sentence that a person reads. The names are metric labels, values of the
 * ledger and what `ccx explain` prints, so a name never changes its meaning. Source: architecture.md 7.
 */
/** Reasons to notify. */
export const NOTIFY_REASONS = {
  new: 'It was not notified before.',
  'cooldown-over': 'It was notified before, it is still there, and its cooldown has ended.',
  recurred: 'It was notified before, had gone, and is back after its cooldown has ended.',
  'acknowledgement-over':
    'It was notified before and acknowledged since; the acknowledgement is over, which ends its cooldown, and it is there.',
  'record-removed':
    'It was notified before, but the record of that was removed from the table reported, which asks for it again.',
  'tried-again': 'Its last notification did not go out for certain, and the wait after that has ended.',
  'alert-active': 'It is an active alert, which is posted again at every interval.',
} as const;

/** Reasons not to notify. */
export const SKIP_REASONS = {
  'already-notified': 'It was notified within its cooldown, which does not end when it goes and comes back.',
  pending: 'An earlier notification of it is still on its way.',
  'given-up':
    'Its last notification was refused and is listed as dead; it is tried again when its cooldown has ended, or by a manual retry.',
  'arrival-unknown':
    'Whether its last notification arrived is not known; it is listed, and tried again when its cooldown has ended, or by a manual retry.',
  gone: 'The newest report does not contain it any more.',
  back: 'It is in the newest report again, so that nobody is notified that it was resolved.',
  'rule-did-not-run':
    'Its rule did not run over the newest report, which therefore says nothing of it; it stays as it was.',
  'rule-removed': 'Its rule is not in the catalogue that made the newest report any more.',
  'below-threshold': 'The event filter of the target does not let it pass.',
  'filter-failed': 'The event filter of the target cannot be evaluated for it, because it divides by zero.',
  'filtered-by-tag': 'Its rule does not have all the tags that the target asks for.',
  'disabled-by-cluster': 'Its rule is disabled for this cluster.',
  'disabled-by-org': 'Its rule is disabled for this organization.',
  'content-missing': 'The rule content knows nothing of it; it is decided again as soon as the content does.',
  'cluster-moved': 'The newest report of its cluster is of another organization.',
  'report-removed': 'No report of its cluster is stored any more.',
  'cluster-retired': 'Its cluster was retired by a person; its next report brings it back.',
  'cluster-not-allowed': 'The list of allowed or blocked clusters leaves this cluster out.',
  'simulated-cluster': 'Its cluster is simulated, of which only stand-ins are notified, and the target is none.',
  'no-recipient':
    'The target never takes a message about such a cluster, whose organization is 0 or negative, whose account number is negative, or which has no name.',
  'alert-changed':
    'Its risk or its category is another since the rule content changed, which makes another alert of it; that begins in the next round.',
  'not-for-receiver': 'The receiver is set to other organizations or clusters.',
  'cluster-cap':
    'It is due, but as many issues of its cluster were notified today, UTC, as may be; its notification waits for the next day.',
  'not-composable':
    'It is due, but what the report holds makes no message that the target takes; it is decided again with the next report.',
  'render-failed': 'It is due, but its text could not be rendered; it is tried again soon.',
} as const;

/** What became of an issue since it was decided to be notified, where no reason says so. */
const STANDINGS = {
  due: 'It is due, and is notified in the next run.',
  'on-its-way': 'A notification of it is on its way.',
  'may-have-arrived': 'A notification of it may have arrived; it is repeated under its id until that is known.',
  notified: 'It was notified.',
  'not-in-time': 'Its last notification could not be delivered in time and is listed as dead; it is decided anew.',
} as const;

export type NotifyReason = keyof typeof NOTIFY_REASONS;
export type SkipReason = keyof typeof SKIP_REASONS;
export type Reason = NotifyReason | SkipReason;
export type Standing = Reason | keyof typeof STANDINGS;

/** A reason by the name that it has now: older releases stored `gone` as `resolved`. */
export function currentReason(stored: string): string {
  return stored === 'resolved' ? 'gone' : stored;
}

/** Every name that a reason may be stored under. */
export function storedReasons(reason: string): readonly string[] {
  if (reason === 'cluster-cap') return [reason, CLUSTER_CAP_CODE];
  return [reason, 'resolved'].filter((name) => name === reason || currentReason(name) === currentReason(reason));
}

/** Of a message that waits for `cluster-cap`. */
export const CLUSTER_CAP_CODE = 'CLUSTER_CAP';

const sentences: Readonly<Record<string, string>> = { ...NOTIFY_REASONS, ...SKIP_REASONS, ...STANDINGS };

/** The sentence of a reason or a standing; a name that a newer version stored is shown as it is. */
export function reasonSentence(reason: string): string {
  return Object.hasOwn(sentences, reason) ? sentences[reason]! : `(${reason})`;
}
