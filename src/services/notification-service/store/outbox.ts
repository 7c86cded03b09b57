/**
 * The outbox from the sender's side: claiming messages under a lease, writing down what a first attempt sends, and waiting for the next
 * one. Called by the deliver step; outcomes are written by `outcomes.ts`. Source: architecture.md 6.
 */

import type { Issue } from '../../../contracts/issue.ts';
import type { TargetName } from '../../../contracts/tables.ts';
import {
  RECEIVER_IDS_FROM,
  TABLE_NEW_REPORTS,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_TARGETS,
} from '../../../contracts/tables.ts';
import type { Connection, Queryable } from '../../../platform/database/database.ts';
import type { OutgoingNotification } from '../ports.ts';
import { microsOfMs, microsOrUndefined, timestampMicros, timestampText } from '../timestamps.ts';
import { countsFor, type ReportsOf } from './reports.ts';
import { rowsJson, type StoreAccess, transact } from './transact.ts';

/** Bodies claimed together; one larger message is claimed alone. Together with the number of messages it bounds the memory of delivering. */
export const claimBytesMax = 16 * 1024 * 1024;
/** A one-shot run waits for what an earlier run tried, where that is due again within this; what waits longer is a later run's. */
const earlierRetryMsMax = 10_000;

/** A message that this process may send until its lease ends. */
export interface ClaimedMessage {
  readonly notification: OutgoingNotification;
  /** Its target composed and checked it since it was claimed. */
  readonly composedHere: boolean;
  /** `resolved`: it says that its one issue is, and is composed right before it is sent. */
  readonly about: 'issues' | 'resolved';
  readonly orgId: number;
  readonly accountNumber: number;
  readonly reportUpdatedAt: string;
  readonly decisionId: string;
  readonly requestId: string | undefined;
  /** This attempt included. */
  readonly attempts: number;
  readonly mayHaveArrived: boolean;
  readonly decidedMicros: bigint;
  /** Undefined: it was never sent. */
  readonly firstAttemptMicros: bigint | undefined;
  /** How long its target has been paused since then. */
  readonly pausedMicros: bigint;
  /** One-shot: until when this run keeps trying it; undefined: this run has not tried it. */
  readonly runDeadlineMicros: bigint | undefined;
  /** What its row said before this claim, for one that is not tried. */
  readonly before: { readonly firstAttemptMicros: bigint | undefined; readonly lastAttemptMicros: bigint | undefined };
}

export type NotificationRow = Omit<OutgoingNotification, 'target'>;
export const notificationColumns = 'o.id, rtrim(o.cluster) AS cluster, o.issues, o.headers, o.body';

/** Of a row whose claim has outlived its lease: whoever made that claim died before an attempt began. */
const wasUntried = (row: string) =>
  `coalesce(${row}.state = 'claimed' AND ${row}.untried_lease = ${row}.lease_token, false)`;
const mayHaveArrived = (row: string) =>
  `(${row}.may_have_arrived OR (${row}.state = 'claimed' AND NOT ${wasUntried(row)}))`;
const attemptsWithNext = (row: string) => `${row}.attempts + CASE WHEN ${wasUntried(row)} THEN 0 ELSE 1 END`;

/**
 * Takes messages that are due, or whose claim has outlived its lease: those that were never tried first, then those that were tried
 * longest ago. Another process skips what is locked and takes the next ones. A claim that a dead process left may have been sent, unless it
 * died before it began: then it was no attempt; its next attempt knows that. Empty while the target is paused. What this run has tried and what became due
 * again only behind its deadline is left to the next run; what became due before it and waited in line is not.
 */
export async function claimMessages(
  store: StoreAccess,
  claim: {
    readonly target: { readonly eventTargetId: number; readonly name: TargetName };
    readonly runId: string;
    readonly token: string;
    readonly messagesMax: number;
    readonly leaseMs: number;
    /** Beyond the number come the others of the same clusters that are due and were never tried: a cap on the day ranks them together. */
    readonly wholeClusters: boolean;
  },
): Promise<ClaimedMessage[]> {
  const { target } = claim;
  const nowMicros = store.nowMicros();
  const columns = `id, state, lease_token, untried_lease, cluster, first_attempt_at, last_attempt_at, next_attempt_at,
                octet_length(body) AS bytes`;
  const due = `event_type_id = $1 AND next_attempt_at <= $2::timestamp
            AND (run_id IS DISTINCT FROM $6 OR run_deadline_at IS NULL OR next_attempt_at < run_deadline_at)
            AND NOT EXISTS (SELECT FROM ${TABLE_NOTIFICATION_TARGETS} WHERE event_type_id = $1 AND paused_until > $2::timestamp)`;
  const queue = 'last_attempt_at NULLS FIRST, next_attempt_at, cluster, id';
  const others = `
       others AS (
         SELECT ${columns} FROM ${TABLE_NOTIFICATION_OUTBOX}
          WHERE ${due} AND first_attempt_at IS NULL AND finished_at IS NULL
            AND cluster IN (SELECT cluster FROM first WHERE first_attempt_at IS NULL) AND id NOT IN (SELECT id FROM first)
          ORDER BY ${queue} FOR UPDATE SKIP LOCKED),`;
  const { rows } = await transact(store, (tx) =>
    tx.query<MessageRow & { readonly place: number }>(
      `WITH first AS (
         SELECT ${columns} FROM ${TABLE_NOTIFICATION_OUTBOX}
          WHERE ${due} ORDER BY ${queue} LIMIT $3 FOR UPDATE SKIP LOCKED),${claim.wholeClusters ? others : ''}
       picked AS (SELECT *, false AS later FROM first${claim.wholeClusters ? ' UNION ALL SELECT *, true FROM others' : ''}),
       summed AS (
         SELECT *, sum(bytes) OVER queue AS total, (row_number() OVER queue)::int AS place FROM picked
         WINDOW queue AS (ORDER BY later, ${queue})),
       paused AS (SELECT coalesce(max(paused_micros), 0) AS micros FROM ${TABLE_NOTIFICATION_TARGETS} WHERE event_type_id = $1)
       UPDATE ${TABLE_NOTIFICATION_OUTBOX} AS o
          SET state = 'claimed', lease_token = $4, untried_lease = $4, next_attempt_at = $5::timestamp,
              attempts = ${attemptsWithNext('o')}, last_attempt_at = $2::timestamp, may_have_arrived = ${mayHaveArrived('o')},
              run_deadline_at = CASE WHEN o.run_id = $6 THEN o.run_deadline_at END, run_id = $6
         FROM summed, paused
        WHERE o.id = summed.id AND summed.total - summed.bytes < $7
       RETURNING ${messageColumns('o.attempts', 'o.may_have_arrived')}, summed.place, summed.first_attempt_at AS "firstAttemptBefore",
                 summed.last_attempt_at AS "lastAttemptBefore",
                 paused.micros - coalesce(o.paused_before, paused.micros) AS "pausedMicros"`,
      [
        target.eventTargetId,
        timestampText(nowMicros),
        claim.messagesMax,
        claim.token,
        timestampText(nowMicros + microsOfMs(claim.leaseMs)),
        claim.runId,
        claimBytesMax,
      ],
    ),
  );
  return rows.sort((left, right) => left.place - right.place).map(({ place, ...row }) => messageOf(row, target.name));
}

type MessageRow = NotificationRow &
  Pick<
    ClaimedMessage,
    'about' | 'orgId' | 'accountNumber' | 'reportUpdatedAt' | 'decisionId' | 'attempts' | 'mayHaveArrived'
  > & {
    readonly requestId: string | null;
    readonly decidedAt: string;
    readonly firstAttemptAt: string | null;
    readonly firstAttemptBefore: string | null;
    readonly lastAttemptBefore: string | null;
    readonly pausedMicros: bigint;
    readonly runDeadlineAt: string | null;
  };

/** Of `MessageRow`, but for what its claim knows; `attempts` with the one that is to begin. */
const messageColumns = (
  attempts: string,
  arrived: string,
) => `${notificationColumns}, o.about, o.org_id AS "orgId", o.account_number AS "accountNumber",
                 o.report_updated_at AS "reportUpdatedAt", o.decision_id AS "decisionId", o.request_id AS "requestId",
                 ${attempts} AS attempts, ${arrived} AS "mayHaveArrived", o.decided_at AS "decidedAt", o.run_deadline_at AS "runDeadlineAt",
                 -- An older release wrote down neither; what it sent has the time of its decision in its body.
                 coalesce(o.first_attempt_at, CASE WHEN ${arrived} THEN o.decided_at WHEN ${attempts} > 1 THEN o.due_at END)
                   AS "firstAttemptAt"`;

function messageOf(
  { id, cluster, issues, headers, body, firstAttemptBefore, lastAttemptBefore, ...row }: MessageRow,
  target: TargetName,
): ClaimedMessage {
  return {
    ...row,
    notification: { id, target, cluster, issues, headers, body },
    composedHere: false,
    requestId: row.requestId ?? undefined,
    decidedMicros: timestampMicros(row.decidedAt),
    firstAttemptMicros: microsOrUndefined(row.firstAttemptAt),
    pausedMicros: BigInt(row.pausedMicros),
    runDeadlineMicros: microsOrUndefined(row.runDeadlineAt),
    before: {
      firstAttemptMicros: microsOrUndefined(firstAttemptBefore),
      lastAttemptMicros: microsOrUndefined(lastAttemptBefore),
    },
  };
}

/** A person asked for it, and it was not taken up yet. */
export const wantedAgain = 'o.retry_requested_at IS NOT NULL AND o.replaced_by IS NULL AND o.finished_at IS NOT NULL';

/** A message that is not finished, or is wanted again, and is in nobody's hands because of this call. */
export interface UnfinishedMessage {
  readonly message: ClaimedMessage;
  /** When it may be sent next. Undefined: another process is sending it now. */
  readonly dueMicros: bigint | undefined;
}

/** Which messages of a target are meant, and where the page before ended. */
interface UnfinishedPage {
  readonly target: { readonly eventTargetId: number; readonly name: TargetName };
  /** `of no report`: waiting, and no report of its cluster counts. */
  readonly which: 'waiting' | 'of no report' | 'wanted again';
  /** Undefined: all. */
  readonly clusters: readonly string[] | undefined;
  readonly after: { readonly cluster: string; readonly id: string } | undefined;
  readonly rowsMax: number;
}

/** What waits for a target, or is wanted again, in pages by cluster and id; nothing is claimed. */
export async function readUnfinished(
  of: Pick<StoreAccess, 'database' | 'nowMicros'> & Pick<ReportsOf, 'ownersCount'>,
  { target, which, clusters, after, rowsMax }: UnfinishedPage,
): Promise<UnfinishedMessage[]> {
  const values: unknown[] = [target.eventTargetId, timestampText(of.nowMicros()), rowsMax];
  const value = (given: unknown) => `$${values.push(given)}`;
  const conditions = [
    which === 'wanted again' ? wantedAgain : 'o.finished_at IS NULL AND o.next_attempt_at IS NOT NULL',
  ];
  if (which === 'of no report') {
    conditions.push(
      `NOT EXISTS (SELECT FROM ${TABLE_NEW_REPORTS} AS r WHERE r.cluster = o.cluster AND ${countsFor(of, 'r')})`,
    );
  }
  if (clusters !== undefined) conditions.push(`o.cluster = ANY(${value(clusters)}::bpchar[])`);
  if (after !== undefined) {
    conditions.push(`(o.cluster, o.id) > (${value(after.cluster)}::bpchar, ${value(after.id)}::uuid)`);
  }
  const { rows } = await of.database.query<
    MessageRow & { readonly isClaimed: boolean; readonly nextAttemptAt: string | null }
  >(
    `SELECT ${messageColumns(attemptsWithNext('o'), mayHaveArrived('o'))}, o.first_attempt_at AS "firstAttemptBefore",
            o.last_attempt_at AS "lastAttemptBefore", t.paused_micros - coalesce(o.paused_before, t.paused_micros) AS "pausedMicros",
            o.state = 'claimed' AND o.next_attempt_at > $2::timestamp AS "isClaimed", o.next_attempt_at AS "nextAttemptAt"
       FROM ${TABLE_NOTIFICATION_OUTBOX} AS o
      CROSS JOIN (SELECT coalesce(max(paused_micros), 0) AS paused_micros FROM ${TABLE_NOTIFICATION_TARGETS} WHERE event_type_id = $1) AS t
      WHERE o.event_type_id = $1 AND ${conditions.join(' AND ')}
      ORDER BY o.cluster, o.id LIMIT $3`,
    values,
  );
  return rows.map(({ isClaimed, nextAttemptAt, ...row }) => ({
    message: messageOf(row, target.name),
    dueMicros: isClaimed ? undefined : (microsOrUndefined(nextAttemptAt) ?? 0n),
  }));
}

/** A message as it is about to be sent for the first time. */
export interface FirstAttempt {
  readonly message: ClaimedMessage;
  /** Issues that it named and does not name any more. */
  readonly left: readonly LeftIssue[];
  /** Some of its issues may be held back for the day. */
  readonly mayWait: boolean;
}

export interface LeftIssue {
  readonly issue: Issue;
  readonly reason: string;
}

/** How many issues of these clusters were sent for the first time since then: the beginning of the day. */
export async function readNotifiedIssues(
  { database }: { readonly database: Queryable },
  day: { readonly eventTargetId: number; readonly clusters: readonly string[]; readonly sinceMicros: bigint },
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await database.query<{ cluster: string; issues: number }>(
    `SELECT rtrim(cluster) AS cluster, sum(json_array_length(issues))::int AS issues FROM ${TABLE_NOTIFICATION_OUTBOX}
      WHERE event_type_id = $1 AND cluster = ANY($2::bpchar[]) AND about = 'issues' AND first_attempt_at >= $3::timestamp
      GROUP BY cluster`,
    [day.eventTargetId, [...new Set(day.clusters)], timestampText(day.sinceMicros)],
  );
  return new Map(rows.map(({ cluster, issues }) => [cluster, issues]));
}

/** Issues of one cluster that may be sent for the first time since the beginning of the day. */
interface DayCap {
  readonly issuesMax: number;
  readonly sinceMicros: bigint;
}

/**
 * Those that fit under the cap when nobody else sends about their clusters: the row of what was considered of a cluster is locked, which
 * everybody who sends under a cap does.
 */
async function underCap(
  tx: Connection,
  eventTargetId: number,
  attempts: readonly FirstAttempt[],
  { issuesMax, sinceMicros }: DayCap,
): Promise<readonly FirstAttempt[]> {
  const clusters = attempts.map(({ message }) => message.notification.cluster);
  await tx.query(
    `SELECT FROM ${TABLE_NOTIFICATION_CONSIDERED} WHERE event_type_id = $1 AND cluster = ANY($2::bpchar[]) ORDER BY cluster FOR UPDATE`,
    [eventTargetId, clusters],
  );
  const notified = new Map(await readNotifiedIssues({ database: tx }, { eventTargetId, clusters, sinceMicros }));
  return attempts.filter(({ message, mayWait }) => {
    if (message.before.firstAttemptMicros !== undefined || message.about === 'resolved') return true;
    const { cluster, issues } = message.notification;
    const after = (notified.get(cluster) ?? 0) + issues.length;
    if (mayWait && after > issuesMax) return false;
    notified.set(cluster, after);
    return true;
  });
}

/**
 * Writes down what is about to be sent, before it is: from here on a death means that it may have arrived, and that the same bytes follow.
 * Answers the ids of those whose lease this process still holds, and that another process has not made too many for the day; only they
 * may be sent.
 */
export async function storeFirstAttempts(
  store: StoreAccess,
  {
    eventTargetId,
    leaseToken,
    attempts,
    dayCap,
  }: {
    readonly eventTargetId: number;
    readonly leaseToken: string;
    readonly attempts: readonly FirstAttempt[];
    readonly dayCap: DayCap | undefined;
  },
): Promise<ReadonlySet<string>> {
  if (attempts.length === 0) return new Set();
  return transact(store, async (tx) => {
    const held = await lockHeld(tx, { ids: attempts.map(({ message }) => message.notification.id), leaseToken });
    const own = attempts.filter(({ message }) => held.has(message.notification.id));
    const written = dayCap === undefined ? own : await underCap(tx, eventTargetId, own, dayCap);
    await tx.query(
      `UPDATE ${TABLE_NOTIFICATION_OUTBOX} AS o
          SET untried_lease = NULL, first_attempt_at = f.first_attempt_at, issues = f.issues::json, headers = f.headers::json,
              body = f.body, report_updated_at = f.report_updated_at, account_number = f.account_number,
              paused_before = coalesce(o.paused_before,
                (SELECT max(paused_micros) FROM ${TABLE_NOTIFICATION_TARGETS} AS t WHERE t.event_type_id = o.event_type_id), 0)
         FROM json_to_recordset($1) AS f(id uuid, first_attempt_at timestamp, issues text, headers text, body text,
              report_updated_at timestamp, account_number int)
        WHERE o.id = f.id`,
      [
        rowsJson(
          written.map(({ message }) => ({
            id: message.notification.id,
            first_attempt_at: timestampText(message.firstAttemptMicros!),
            issues: JSON.stringify(message.notification.issues),
            headers: JSON.stringify(message.notification.headers),
            body: message.notification.body,
            report_updated_at: message.reportUpdatedAt,
            account_number: message.accountNumber,
          })),
        ),
      ],
    );
    const left = written.flatMap(({ message, left }) =>
      left.map(({ issue, reason }) => ({
        ...{ id: message.notification.id, orgId: message.orgId, cluster: message.notification.cluster },
        ...{ issue, reason, forgetId: true },
      })),
    );
    await restoreIssues(tx, { eventTargetId, issues: left, now: store.nowMicros() });
    return new Set(written.map(({ message }) => message.notification.id));
  });
}

/** Locks the rows whose lease this process still holds; answers their ids. */
async function lockHeld(
  tx: Connection,
  { ids, leaseToken }: { readonly ids: readonly string[]; readonly leaseToken: string },
): Promise<ReadonlySet<string>> {
  const { rows } = await tx.query<{ id: string }>(
    `SELECT id FROM ${TABLE_NOTIFICATION_OUTBOX} WHERE id = ANY($1::uuid[]) AND lease_token = $2 AND state = 'claimed'
      ORDER BY id FOR UPDATE`,
    [ids, leaseToken],
  );
  return new Set(rows.map(({ id }) => id));
}

interface RestoredIssue extends LeftIssue {
  readonly id: string;
  readonly orgId: number;
  readonly cluster: string;
  /** Its message goes out without it. */
  readonly forgetId: boolean;
}

/**
 * Issues that their message does not name any more go back to what they were before it, no cooldown starts, and their cluster is decided again.
 * Only while the ledger still names that message.
 */
export async function restoreIssues(
  tx: Connection,
  what: { readonly eventTargetId: number; readonly issues: readonly RestoredIssue[]; readonly now: bigint },
): Promise<void> {
  if (what.issues.length === 0) return;
  await tx.query(
    `WITH given AS (
       SELECT * FROM json_to_recordset($1) AS g(id uuid, "orgId" int, cluster character(36), type text, component text,
              "errorKey" text, reason text, "forgetId" boolean)),
     restored AS (
       UPDATE ${TABLE_NOTIFICATION_LEDGER} AS l
          SET state = CASE WHEN l.reported_at IS NOT NULL THEN 'notified' WHEN l.state_before = 'notified' AND l.event_type_id < ${RECEIVER_IDS_FROM} THEN 'removed'
                           ELSE coalesce(l.state_before, 'open') END,
              state_before = NULL, last_reason = given.reason, next_eligible_at = NULL,
              notification_id = CASE WHEN given."forgetId" THEN NULL ELSE l.notification_id END
         FROM given
        WHERE l.event_type_id = $2 AND l.org_id = given."orgId" AND l.cluster = given.cluster AND l.type = given.type
          AND l.component = given.component AND l.error_key = given."errorKey" AND l.notification_id = given.id)
     UPDATE ${TABLE_NOTIFICATION_CONSIDERED} AS c
        SET next_due_at = least(c.next_due_at, $3::timestamp), version = c.version + 1
       FROM (SELECT DISTINCT cluster FROM given) AS g
      WHERE c.event_type_id = $2 AND c.cluster = g.cluster`,
    [
      rowsJson(what.issues.map(({ issue, ...one }) => ({ ...one, ...issue }))),
      what.eventTargetId,
      timestampText(what.now),
    ],
  );
}

/**
 * When something of the target is due next that this run may still try: the end of its wait and of the target's pause, where that is before
 * its deadline. What an earlier run tried counts if it is due again soon: a run right behind one that found nobody there finds who came.
 */
export async function nextAttemptMicros(
  store: StoreAccess,
  { eventTargetId, runId }: { readonly eventTargetId: number; readonly runId: string },
): Promise<bigint | undefined> {
  const { rows } = await store.database.query<{ next: string | null }>(
    `SELECT min(greatest(o.next_attempt_at, t.paused_until)) AS next
       FROM ${TABLE_NOTIFICATION_OUTBOX} AS o
       LEFT JOIN ${TABLE_NOTIFICATION_TARGETS} AS t ON t.event_type_id = o.event_type_id
      WHERE o.event_type_id = $1 AND o.next_attempt_at IS NOT NULL AND o.state <> 'claimed'
        AND CASE WHEN o.run_id = $2 THEN o.run_deadline_at IS NULL OR greatest(o.next_attempt_at, t.paused_until) < o.run_deadline_at
                 ELSE o.attempts > 0 AND greatest(o.next_attempt_at, t.paused_until) < $3::timestamp END`,
    [eventTargetId, runId, timestampText(store.nowMicros() + microsOfMs(earlierRetryMsMax))],
  );
  return microsOrUndefined(rows[0]!.next);
}

/** Messages of the target that are due and neither delivered nor in somebody's hands. */
export async function countDue(store: StoreAccess, eventTargetId: number): Promise<number> {
  const { rows } = await store.database.query<{ due: number }>(
    `SELECT count(*)::int AS due FROM ${TABLE_NOTIFICATION_OUTBOX}
      WHERE event_type_id = $1 AND next_attempt_at IS NOT NULL AND state <> 'claimed' AND due_at <= $2::timestamp`,
    [eventTargetId, timestampText(store.nowMicros())],
  );
  return rows[0]!.due;
}

/** How many messages of the target wait: where the stagger of a first run that was cut short goes on. */
export async function countWaiting(database: Queryable, eventTargetId: number): Promise<number> {
  const { rows } = await database.query<{ waiting: number }>(
    `SELECT count(*)::int AS waiting FROM ${TABLE_NOTIFICATION_OUTBOX} WHERE event_type_id = $1 AND finished_at IS NULL`,
    [eventTargetId],
  );
  return rows[0]!.waiting;
}

/** What waits and what is listed, for metrics: decided and never finished must be seen from outside. Source: consumers.md R15. */
export async function readGauges(
  { database, nowMicros }: StoreAccess,
  targets: readonly { readonly eventTargetId: number; readonly name: string }[],
) {
  const now = nowMicros();
  const { rows } = await database.query<{
    event_type_id: number;
    state: string | null;
    count: number;
    oldest: string | null;
    paused_until: string | null;
  }>(
    `SELECT ids.event_type_id, counted.state, coalesce(counted.count, 0) AS count, counted.oldest, t.paused_until
       FROM unnest($1::int[]) AS ids(event_type_id)
       LEFT JOIN (
         SELECT event_type_id, state, count(*)::int AS count, min(due_at) FILTER (WHERE finished_at IS NULL) AS oldest
           FROM (SELECT event_type_id, state, due_at, finished_at FROM ${TABLE_NOTIFICATION_OUTBOX} WHERE finished_at IS NULL
                  UNION ALL
                 SELECT event_type_id, state, due_at, finished_at FROM ${TABLE_NOTIFICATION_OUTBOX}
                  WHERE state IN ('dead', 'unknown') AND finished_at IS NOT NULL AND replaced_by IS NULL AND discarded_at IS NULL) AS open
          GROUP BY event_type_id, state) AS counted USING (event_type_id)
       LEFT JOIN ${TABLE_NOTIFICATION_TARGETS} AS t USING (event_type_id)`,
    [targets.map(({ eventTargetId }) => eventTargetId)],
  );
  return targets.map(({ eventTargetId, name }) => {
    const own = rows.filter((row) => row.event_type_id === eventTargetId);
    const oldest = own.flatMap((row) => (row.oldest === null ? [] : [timestampMicros(row.oldest)]));
    const first = oldest.reduce((least, micros) => (micros < least ? micros : least), now);
    const pausedUntil = microsOrUndefined(own[0]?.paused_until);
    return {
      target: name,
      /** Messages that wait, and those that are listed, by state. */
      counts: own.flatMap(({ state, count }) => (state === null ? [] : [{ state, count }])),
      oldestSeconds: Number((now - first) / 1_000_000n),
      paused: pausedUntil !== undefined && pausedUntil > now,
    };
  });
}
