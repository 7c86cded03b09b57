/**
 * What the auditor may find, by name, and the rules by which facts become findings. A finding is something that no run would mend, or
 * that runs should have mended long ago. Pure; the facts come from `store/audit-pages.ts`, one statement each, so that what belongs
 * together was true together. Source: consumers.md 4.4 R15, 5.1 (invariants I1 to I5; I6 to I8 cannot be seen in these tables).
 */
import { parseNotificationMessage } from '../../../contracts/notification-message.ts';
import { parseServiceLogEntry } from '../../../contracts/service-log-entry.ts';
import { isReceiver, TARGET_NOTIFICATIONS_BACKEND, TARGET_SERVICE_LOG } from '../../../contracts/tables.ts';
import { errorText } from '../../../encoding/ccx-error.ts';

type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5';

interface Kind {
  /** Undefined: it lies before the decision. */
  readonly invariant?: Invariant;
  readonly sentence: string;
}

/** These names are metric labels and what `ccx notifications audit` shows: a name never changes its meaning. */
export const FINDING_KINDS = {
  'due-not-tried': { invariant: 'I1', sentence: 'A message has been due for long and nobody tries it.' },
  'lease-outlived': { invariant: 'I1', sentence: 'A claim has outlived its lease for long and nobody takes it over.' },
  'window-overrun': {
    invariant: 'I1',
    sentence: 'A message was tried behind the end of its window, and is not finished.',
  },
  'never-due': { invariant: 'I1', sentence: 'A message is not finished, and will never be tried.' },
  'state-contradicts': { invariant: 'I1', sentence: 'The state of a message contradicts its other columns.' },
  'message-without-ledger': {
    invariant: 'I1',
    sentence: 'A message waits, and the ledger does not hold an issue of it for it.',
  },
  'pending-without-message': {
    invariant: 'I1',
    sentence: 'An issue is pending in the ledger, and no message of it waits.',
  },
  'wish-not-taken': {
    invariant: 'I1',
    sentence: 'A person has wanted a message to be tried again, and no run took that up.',
  },
  'id-not-in-body': { invariant: 'I2', sentence: 'The stored bytes of a message do not carry its id.' },
  'successor-missing': { invariant: 'I2', sentence: 'A message was sent again under an id that is not in the outbox.' },
  'told-within-cooldown': {
    invariant: 'I3',
    sentence: 'An issue was delivered twice within its cooldown, under two ids.',
  },
  'delivered-without-ledger': {
    invariant: 'I3',
    sentence: 'A message was delivered, and the ledger does not know an issue of it.',
  },
  'delivered-without-record': {
    invariant: 'I4',
    sentence: 'A message counts as delivered without a moment, an attempt or a row of reported.',
  },
  'notified-without-row': {
    invariant: 'I4',
    sentence: 'An issue counts as notified by a row of reported that is gone, which no run will notice.',
  },
  'sent-row-without-message': {
    invariant: 'I4',
    sentence: 'A sent row of reported is ours, and no message was delivered by it.',
  },
  'body-breaks-contract': {
    invariant: 'I5',
    sentence: 'The receiver would not understand the stored bytes of a message.',
  },
  'due-not-decided': { sentence: 'A cluster has been due for long and no run decides it.' },
  'report-not-decided': { sentence: 'A report has been stored for long and no run has decided it or a newer one.' },
} as const satisfies Readonly<Record<string, Kind>>;

export type FindingKind = keyof typeof FINDING_KINDS;

/** `I1`; empty for what lies before the decision. */
export function invariantOf(kind: FindingKind): Invariant | '' {
  const { invariant }: Kind = FINDING_KINDS[kind];
  return invariant ?? '';
}

export interface Finding {
  readonly kind: FindingKind;
  readonly eventTargetId: number;
  readonly cluster: string;
  /** `notifications/ID`, an issue, a row. */
  readonly subject: string;
  /** What exactly is wrong with it. */
  readonly detail: string;
}

export interface AuditContext {
  readonly nowMicros: bigint;
  /** What has been due for longer is a finding. */
  readonly overdueMicros: bigint;
  /** How long a message that certainly did not arrive is tried, and one that possibly did. */
  readonly retryWindowMicros: bigint;
  readonly resendWindowMicros: bigint;
  /** Whether stored bytes are read as their receiver would. */
  readonly readsBodies: boolean;
}

/** What both kinds of messages have. */
interface MessageFacts {
  readonly id: string;
  readonly eventTargetId: number;
  readonly cluster: string;
  readonly state: string;
  readonly attempts: number;
  readonly nextAttemptMicros: bigint | undefined;
  readonly leased: boolean;
  readonly carriesId: boolean;
  /** Undefined where it was not read: too large, or too old. */
  readonly body: string | undefined;
}

export interface UnfinishedFacts extends MessageFacts {
  readonly mayHaveArrived: boolean;
  readonly firstAttemptMicros: bigint | undefined;
  readonly lastAttemptMicros: bigint | undefined;
  /** How long its target has been paused since then. */
  readonly pausedMicros: bigint;
  readonly pausedUntilMicros: bigint | undefined;
  /** Error keys of its issues that the ledger does not hold pending for it. */
  readonly unheld: readonly string[];
}

export function judgeUnfinished(facts: UnfinishedFacts, context: AuditContext): Finding[] {
  const { state, nextAttemptMicros, unheld } = facts;
  const found = findingsAbout(facts);
  if (nextAttemptMicros === undefined) found.add('never-due', `${state}, without a next attempt`);
  else judgeWait(facts, nextAttemptMicros, context, found);
  if (['delivered', 'dead', 'withdrawn'].includes(state)) found.add('state-contradicts', `${state}, and not finished`);
  if (facts.leased !== (state === 'claimed'))
    found.add('state-contradicts', facts.leased ? `${state}, under a lease` : 'claimed, without a lease');
  if (unheld.length > 0) found.add('message-without-ledger', `not held for it: ${unheld.join(', ')}`);
  judgeBytes(facts, context, found);
  return found.all;
}

/** A paused target is tried by nobody: what waits for it is due when the pause ends. */
function judgeWait(
  { state, pausedUntilMicros = 0n, mayHaveArrived, ...facts }: UnfinishedFacts,
  nextAttemptMicros: bigint,
  { nowMicros, overdueMicros, ...context }: AuditContext,
  found: Findings,
): void {
  const lateMicros = nowMicros - (nextAttemptMicros > pausedUntilMicros ? nextAttemptMicros : pausedUntilMicros);
  if (lateMicros > overdueMicros)
    found.add(state === 'claimed' ? 'lease-outlived' : 'due-not-tried', `for ${describedMicros(lateMicros)}`);
  const { firstAttemptMicros, lastAttemptMicros } = facts;
  // A claim that ends the message is such an attempt too, until it is recorded.
  if (firstAttemptMicros === undefined || lastAttemptMicros === undefined || state === 'claimed') return;
  const isBounded = mayHaveArrived && !isReceiver(facts.eventTargetId);
  const windowMicros = isBounded ? context.resendWindowMicros : context.retryWindowMicros + facts.pausedMicros;
  const overrunMicros = lastAttemptMicros - firstAttemptMicros - windowMicros;
  if (overrunMicros > overdueMicros)
    found.add('window-overrun', `tried ${describedMicros(overrunMicros)} behind its end`);
}

export interface FinishedFacts extends MessageFacts {
  readonly deliveredMicros: bigint | undefined;
  readonly hasRow: boolean;
  readonly successorMissing: boolean;
  /** Error keys of its issues that the ledger does not know; only of what was delivered within the cooldown. */
  readonly unknownToLedger: readonly string[];
  /** An issue of it that was delivered before under another id within the cooldown. */
  readonly toldBefore: { readonly errorKey: string; readonly id: string } | undefined;
}

export function judgeFinished(facts: FinishedFacts, context: AuditContext): Finding[] {
  const { state, attempts, toldBefore, unknownToLedger } = facts;
  const found = findingsAbout(facts);
  if (state === 'pending' || state === 'claimed') found.add('state-contradicts', `${state}, and finished`);
  if (facts.nextAttemptMicros !== undefined) found.add('state-contradicts', `${state}, finished, and due again`);
  if (facts.leased) found.add('state-contradicts', `${state}, finished, and under a lease`);
  if (facts.successorMissing) found.add('successor-missing', 'replaced_by names no message');
  judgeBytes(facts, context, found);
  if (state !== 'delivered') return found.all;
  const lacks = [
    ...(facts.deliveredMicros === undefined ? ['when it was'] : []),
    ...(attempts < 1 ? ['an attempt'] : []),
    ...(facts.hasRow ? [] : ['reported_at']),
  ];
  if (lacks.length > 0) found.add('delivered-without-record', `without ${lacks.join(', ')}`);
  if (unknownToLedger.length > 0) found.add('delivered-without-ledger', unknownToLedger.join(', '));
  if (toldBefore !== undefined)
    found.add('told-within-cooldown', `${toldBefore.errorKey}, before that by notifications/${toldBefore.id}`);
  return found.all;
}

function judgeBytes({ eventTargetId, carriesId, body }: MessageFacts, context: AuditContext, found: Findings): void {
  if (!carriesId) found.add('id-not-in-body', 'another id, or none');
  if (!context.readsBodies || body === undefined) return;
  const parse = parsers[eventTargetId];
  try {
    parse?.(body);
  } catch (error) {
    found.add('body-breaks-contract', errorText(error));
  }
}

const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  [TARGET_NOTIFICATIONS_BACKEND]: parseNotificationMessage,
  [TARGET_SERVICE_LOG]: parseServiceLogEntry,
};

type Findings = ReturnType<typeof findingsAbout>;

function findingsAbout({ id, eventTargetId, cluster }: Pick<MessageFacts, 'id' | 'eventTargetId' | 'cluster'>) {
  const all: Finding[] = [];
  const add = (kind: FindingKind, detail: string) =>
    void all.push({ kind, eventTargetId, cluster, subject: `notifications/${id}`, detail });
  return { all, add };
}

/** What was looked through of one kind of rows. */
export interface LookedThrough {
  readonly name: string;
  readonly rows: number;
  /** False: it was ended before all of them were. */
  readonly complete: boolean;
}

export interface AuditResult {
  /** Of each kind the first so many; `counts` has all. */
  readonly findings: readonly Finding[];
  readonly counts: ReadonlyMap<FindingKind, number>;
  readonly lookedThrough: readonly LookedThrough[];
}

/** `3 h 20 min` */
export function describedMicros(micros: bigint): string {
  const minutes = Number(micros / 60_000_000n);
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return hours === 0 ? `${rest} min` : `${hours} h ${rest} min`;
}
