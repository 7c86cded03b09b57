/**
 * What the notification service needs from the outside, in its own words. Targets implement `Target`; the run, the outbox and the ledger
 * use nothing else of them.
 */

import type { AlertmanagerSilence, PostableAlert, SilencedAlert } from '../../contracts/alertmanager.ts';
import type { Issue } from '../../contracts/issue.ts';
import type { ErrorKeyContent, RuleContent, RuleContentDirectory } from '../../contracts/rule-content.ts';
import type { TargetName } from '../../contracts/tables.ts';
import type { CcxError } from '../../encoding/ccx-error.ts';

/** An issue that is to be notified, with what rendering needs. */
export interface DueIssue extends Issue {
  /** Raw JSON text of the report item's `details`, byte for byte; `null` when absent. */
  readonly details: string;
  readonly totalRisk: number;
  readonly rule: RuleContent;
  readonly content: ErrorKeyContent;
}

export interface DueCluster {
  readonly orgId: number;
  readonly accountNumber: number;
  /** Without blank padding. */
  readonly cluster: string;
  /** `new_reports.updated_at` as PostgreSQL text with microseconds. */
  readonly reportUpdatedAt: string;
  /** Absent when the reference's writer stored the report. */
  readonly requestId: string | undefined;
  readonly issues: readonly DueIssue[];
}

/** An issue that so many reports in a row were without. */
export interface ResolvedIssueOfCluster extends Pick<DueIssue, keyof Issue | 'rule' | 'content'> {
  readonly cluster: string;
  readonly reports: number;
}

/** One message as it will go out; stored in the outbox before anything is sent. */
export interface OutgoingNotification {
  /** UUIDv4, minted once at decision time. */
  readonly id: string;
  readonly target: TargetName;
  readonly cluster: string;
  /** The issues that this message notifies: all of the cluster's on Kafka, exactly one in Service Log. */
  readonly issues: readonly Issue[];
  /** Exact body. */
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export type DeliveryResult =
  | { readonly kind: 'delivered'; readonly detail: string }
  /**
   * This message will never be accepted: it becomes dead with the error as its reason. With `pauseMs` the reason is its recipient, unless
   * every recipient is answered so: then the target is paused for that long.
   */
  | { readonly kind: 'rejected'; readonly error: CcxError; readonly pauseMs?: number }
  /** Certainly not accepted, for this recipient or for all of them: one answer does not tell. `afterMs` for whom it turns out to be. */
  | { readonly kind: 'refused'; readonly error: CcxError; readonly afterMs: number }
  /** No connection came about, so nothing was sent. */
  | { readonly kind: 'unreachable'; readonly error: CcxError; readonly afterMs: number }
  /** Certainly not accepted, may be later. */
  | { readonly kind: 'retry'; readonly error: CcxError; readonly afterMs: number }
  /** The answer was lost: it may have been accepted. Only a look-up or the same id may follow. */
  | { readonly kind: 'unknown'; readonly error: CcxError; readonly afterMs: number }
  /** The whole target is out of order (no token, no trusted connection): nothing else is tried before `afterMs`. */
  | { readonly kind: 'paused'; readonly error: CcxError; readonly afterMs: number }
  /** It says that it is not there any more: paused as above, and after several such answers until a person wants it back. */
  | { readonly kind: 'gone'; readonly error: CcxError; readonly afterMs: number };

export interface DeliveryAttempt {
  readonly notification: OutgoingNotification;
  /** True when an earlier attempt ended as `unknown` or was cut short by a crash. */
  readonly mayHaveArrived: boolean;
  /** The target composed it in this process, and checked it then; absent for one that was read back. */
  readonly composedHere?: boolean;
  readonly signal: AbortSignal;
}

/** What an Alertmanager makes of a batch. */
export type PostAnswer =
  | { readonly kind: 'taken' }
  /** 400: the batch, or something in it, cannot be read. */
  | { readonly kind: 'refused'; readonly detail: string }
  /** Nobody knows, or nobody is there, or nobody of ours is let in. */
  | { readonly kind: 'failed'; readonly error: CcxError };

/** One Alertmanager of those that a receiver names. */
export interface AlertMember {
  /** As anybody may see it. */
  readonly address: string;
  /** Tells it apart from its neighbours, for as long as the process lives; may hold a secret. */
  readonly key: string;
  /** Never rejects. */
  post(alerts: readonly PostableAlert[], signal: AbortSignal): Promise<PostAnswer>;
  /** Every silence that is in force, one after the other. Rejects with a `CcxError`. */
  readSilences(take: (silence: AlertmanagerSilence) => void, signal: AbortSignal): Promise<void>;
  /** Alerts of ours that are silenced, in portions. Rejects with a `CcxError`. */
  readSilencedAlerts(take: (alerts: readonly SilencedAlert[]) => Promise<void>, signal: AbortSignal): Promise<void>;
}

/** What is told levels: what is active is posted again and again, and the outbox knows nothing of it. */
export interface AlertReceiver {
  readonly intervalMs: number;
  readonly resolveAfterMs: number;
  /** What ends is posted with its end. */
  readonly endsAlerts: boolean;
  /** `notifications.rule_details_uri`. */
  readonly ruleDetailsUri: string;
  /** As configured now. Rejects with codes of secrets and `RECEIVER_URL`. */
  members(): Promise<readonly AlertMember[]>;
}

export interface Target {
  readonly name: TargetName;
  /** Row of `event_targets`, or the number of a receiver. */
  readonly eventTargetId: number;
  /** It only stands for a receiver, and nobody reads what it takes: it may be notified about simulated clusters. Absent: no. */
  readonly isStandIn?: boolean;
  /** Absent: it is told by messages. With it nothing is decided, composed or sent by runs. */
  readonly alerts?: AlertReceiver;
  /** False where no message about such a cluster would ever be taken, whatever it says. */
  hasRecipient(cluster: Pick<DueCluster, 'orgId' | 'accountNumber' | 'cluster'>): boolean;
  /** Renders the messages for one cluster's due issues. Rejects with a `CcxError` when nothing can be rendered. */
  compose(cluster: DueCluster, context: ComposeContext): Promise<readonly OutgoingNotification[]>;
  /** Says that an issue it was notified of is resolved; absent where a target takes no such message. */
  composeResolved?(
    resolved: ResolvedIssueOfCluster,
    context: ComposeContext,
  ): OutgoingNotification | Promise<OutgoingNotification>;
  /**
   * The same message under a new id and the time of now, for a manual retry: the backend would swallow the old id for a day and not know
   * it any more after that.
   */
  reissue(notification: OutgoingNotification, context: ComposeContext): OutgoingNotification;
  /** Never rejects: every failure is a result. */
  deliver(attempt: DeliveryAttempt): Promise<DeliveryResult>;
  /** Where a target takes many messages at once: what became of each, in the order given. Absent: a few at a time, by `deliver`. */
  deliverAll?(attempts: readonly DeliveryAttempt[]): Promise<readonly DeliveryResult[]>;
  /** Rejects with a clear `CcxError` when the target cannot be used (credentials, address). */
  check(): Promise<void>;
  /**
   * Whether what the target was paused for, by the code of its error, is over, as far as that can be asked without sending; where it
   * cannot, a process that was started since may try: whoever started it may have changed what was wrong.
   */
  isOver(pauseCode: string, since: { readonly started: boolean }): Promise<boolean>;
  close(): Promise<void>;
}

/** A target of the operator's own. Its number is the ledger's, by its name: it has none before the database was asked. */
export interface ReceiverTarget extends Omit<Target, 'eventTargetId'> {
  readonly type: string;
  /** Name of the receiver in the configuration of which it is one recipient; absent: it is that receiver. */
  readonly partOf?: string;
  /** Where it is, as far as anybody may see it. */
  readonly address: string;
  /** A message that says of itself that it is a test and about nothing. */
  composeTest(context: ComposeContext): OutgoingNotification | Promise<OutgoingNotification>;
}

export interface ComposeContext {
  readonly now: Date;
  readonly uuid: () => string;
}

export interface ContentSource {
  /** The newest content; rejects with code `CONTENT_UNAVAILABLE` when there is none. */
  load(): Promise<RuleContentDirectory>;
}
