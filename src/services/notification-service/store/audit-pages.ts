/**
 * The facts that the auditor judges, page by page in the order of a key: each page is one statement over a bounded number of rows that an
 * index finds, whatever the size of the tables, and sees one moment. Reads only. Called by `auditor.ts`. Source: consumers.md 5.1.
 */
import {
  RECEIVER_IDS_FROM,
  STATE_SENT,
  TABLE_COOLDOWNS,
  TABLE_NEW_REPORTS,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_SENT_ROWS,
  TABLE_NOTIFICATION_TARGETS,
  TABLE_REPORTED,
} from '../../../contracts/tables.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import type { FinishedFacts, UnfinishedFacts } from '../decide/find-faults.ts';
import { microsOrUndefined, timestampMicros } from '../timestamps.ts';
import { countsFor } from './reports.ts';

/** A larger body is not read; it is not larger because of an error. */
const bodyBytesMax = 256 * 1024;

export interface AuditBounds {
  readonly eventTargetIds: readonly number[];
  /** Those of them for which somebody decides. */
  readonly decidingIds: readonly number[];
  /** PostgreSQL text. What was due before this has been due for long. */
  readonly overdueBefore: string;
  /** Start of the longest cooldown that ends now; undefined: there is none. */
  readonly cooldownSince: string | undefined;
  /** Bodies of messages that were finished before this are not read. */
  readonly bodiesSince: string;
  /** Reports that were stored before this are not looked at. */
  readonly reportsSince: string;
  /** Of a cluster that has an owner only the owner's reports count. */
  readonly ownersCount: boolean;
}

/** Where the page before ended, and how many rows the next one looks at. */
export interface PageRequest<Key> {
  readonly after: Key | undefined;
  readonly rowsMax: number;
}

export interface Page<Fact, Key> {
  readonly facts: readonly Fact[];
  /** Rows that were looked at. */
  readonly rows: number;
  /** Where the next page begins; undefined: there is none. */
  readonly next: Key | undefined;
}

function pageOf<Fact, Key>(facts: readonly Fact[], rowsMax: number, keyOf: (fact: Fact) => Key): Page<Fact, Key> {
  const last = facts.at(-1);
  return { facts, rows: facts.length, next: facts.length < rowsMax || last === undefined ? undefined : keyOf(last) };
}

const messageFacts = `o.id, o.event_type_id AS "eventTargetId", rtrim(o.cluster) AS cluster, o.state, o.attempts,
            o.next_attempt_at, o.lease_token IS NOT NULL AS leased,
            position(o.id::text IN o.body) > 0 OR o.headers ->> 'webhook-id' = o.id::text OR (o.about = 'resolved' AND o.body = '') AS "carriesId"`;
/** One about a resolved issue has none before it is sent. */
const bodyThatIsRead = `CASE WHEN octet_length(o.body) <= ${bodyBytesMax} THEN nullif(o.body, '') END`;
const issuesOf = (message: string, alias: string) =>
  `json_to_recordset(${message}.issues) AS ${alias}(type text, component text, "errorKey" text)`;
const ledgerOf = (message: string, issue: string) =>
  `l.event_type_id = ${message}.event_type_id AND l.org_id = ${message}.org_id AND l.cluster = ${message}.cluster
              AND l.type = ${issue}.type AND l.component = ${issue}.component AND l.error_key = ${issue}."errorKey"`;
/** A look-up for each row, whatever the planner thinks of the number of rows: EXISTS may become a pass over the whole other table. */
const isThere = (what: string) => `(SELECT true FROM ${what} LIMIT 1) IS NOT NULL`;
const rowExists = (key: string, at: string) =>
  isThere(`${TABLE_REPORTED} AS r WHERE r.org_id = ${key}.org_id AND r.cluster = ${key}.cluster
              AND r.notified_at = ${at} AND r.state = ${STATE_SENT} AND r.event_type_id = ${key}.event_type_id`);

type Row<Fact> = Omit<Fact, `${string}Micros` | 'body'> & {
  readonly next_attempt_at: string | null;
  readonly body: string | null;
};

export async function unfinishedPage(
  queryable: Queryable,
  { eventTargetIds }: AuditBounds,
  { after, rowsMax }: PageRequest<Pick<UnfinishedFacts, 'eventTargetId' | 'cluster' | 'id'>>,
) {
  const { rows } = await queryable.query<
    Row<UnfinishedFacts> & {
      readonly first_attempt_at: string | null;
      readonly last_attempt_at: string | null;
      readonly paused_until: string | null;
      readonly paused: bigint;
    }
  >(
    `SELECT ${messageFacts}, o.may_have_arrived AS "mayHaveArrived", o.first_attempt_at, o.last_attempt_at, t.paused_until,
            coalesce(t.paused_micros - o.paused_before, 0) AS paused,
            ${bodyThatIsRead} AS body,
            ARRAY(SELECT i."errorKey" FROM ${issuesOf('o', 'i')} LEFT JOIN ${TABLE_NOTIFICATION_LEDGER} AS l ON ${ledgerOf('o', 'i')}
                   WHERE o.about = 'issues' AND (l.notification_id IS DISTINCT FROM o.id OR l.state <> 'pending')) AS unheld
       FROM ${TABLE_NOTIFICATION_OUTBOX} AS o LEFT JOIN ${TABLE_NOTIFICATION_TARGETS} AS t USING (event_type_id)
      WHERE o.finished_at IS NULL AND o.event_type_id = ANY($1::int[])
        AND ($2::int IS NULL OR (o.event_type_id, o.cluster, o.id) > ($2::int, $3::character(36), $4::uuid))
      ORDER BY o.event_type_id, o.cluster, o.id LIMIT $5`,
    [eventTargetIds, after?.eventTargetId ?? null, after?.cluster ?? null, after?.id ?? null, rowsMax],
  );
  const facts = rows.map(
    ({ next_attempt_at, first_attempt_at, last_attempt_at, paused_until, paused, body, ...row }): UnfinishedFacts => ({
      ...row,
      body: body ?? undefined,
      nextAttemptMicros: microsOrUndefined(next_attempt_at),
      firstAttemptMicros: microsOrUndefined(first_attempt_at),
      lastAttemptMicros: microsOrUndefined(last_attempt_at),
      pausedUntilMicros: microsOrUndefined(paused_until),
      pausedMicros: BigInt(paused),
    }),
  );
  return pageOf(facts, rowsMax, ({ eventTargetId, cluster, id }) => ({ eventTargetId, cluster, id }));
}

/**
 * Newest first, back to the start of the longest cooldown. What was sent again because a person wanted it is told twice on purpose; what
 * counted by a row of `reported` that was removed is as if it had not been told; and before the cooldown was what it is now, another one
 * counted.
 */
export async function finishedPage(
  queryable: Queryable,
  { eventTargetIds, cooldownSince, bodiesSince }: AuditBounds,
  { after, rowsMax }: PageRequest<{ readonly finishedAt: string; readonly id: string }>,
) {
  const { rows } = await queryable.query<
    Row<FinishedFacts> & { readonly finishedAt: string; readonly delivered_at: string | null }
  >(
    `SELECT ${messageFacts}, o.finished_at AS "finishedAt", o.delivered_at, o.reported_at IS NOT NULL OR o.about = 'resolved' OR o.event_type_id >= ${RECEIVER_IDS_FROM} AS "hasRow",
            CASE WHEN o.finished_at >= $5::timestamp THEN ${bodyThatIsRead} END AS body,
            o.replaced_by IS NOT NULL AND NOT ${isThere(`${TABLE_NOTIFICATION_OUTBOX} AS n WHERE n.id = o.replaced_by`)}
              AS "successorMissing",
            CASE WHEN o.state = 'delivered' AND o.about = 'issues' THEN ARRAY(
              SELECT i."errorKey" FROM ${issuesOf('o', 'i')} LEFT JOIN ${TABLE_NOTIFICATION_LEDGER} AS l ON ${ledgerOf('o', 'i')}
               WHERE l.event_type_id IS NULL) ELSE '{}' END AS "unknownToLedger",
            CASE WHEN o.state = 'delivered' AND o.about = 'issues' THEN (
              SELECT json_build_object('id', e.id, 'errorKey', i."errorKey")
                FROM ${TABLE_COOLDOWNS} AS c
                JOIN ${TABLE_NOTIFICATION_OUTBOX} AS e
                  ON e.cluster = o.cluster AND e.event_type_id = o.event_type_id AND e.org_id = o.org_id AND e.state = 'delivered' AND e.about = 'issues'
                 AND (e.delivered_at, e.id) < (o.delivered_at, o.id) AND e.delivered_at > o.decided_at - c.cooldown
                 AND e.delivered_at >= c.stored_at
               CROSS JOIN LATERAL ${issuesOf('e', 'i')} JOIN ${issuesOf('o', 'own')} USING (type, component, "errorKey")
               WHERE c.event_type_id = o.event_type_id AND ${rowExists('e', 'e.reported_at')}
                 AND NOT ${isThere(`${TABLE_NOTIFICATION_OUTBOX} AS b WHERE b.cluster = o.cluster AND b.replaced_by = o.id`)}
               LIMIT 1) END AS "toldBefore"
       FROM ${TABLE_NOTIFICATION_OUTBOX} AS o
      WHERE o.finished_at >= $2::timestamp AND o.event_type_id = ANY($1::int[])
        AND ($3::timestamp IS NULL OR (o.finished_at, o.id) < ($3::timestamp, $4::uuid))
      ORDER BY o.finished_at DESC, o.id DESC LIMIT $6`,
    [eventTargetIds, cooldownSince ?? bodiesSince, after?.finishedAt ?? null, after?.id ?? null, bodiesSince, rowsMax],
  );
  const facts = rows.map(({ next_attempt_at, delivered_at, body, toldBefore, ...row }) => ({
    ...row,
    body: body ?? undefined,
    toldBefore: toldBefore ?? undefined,
    nextAttemptMicros: microsOrUndefined(next_attempt_at),
    deliveredMicros: microsOrUndefined(delivered_at),
  }));
  return pageOf(facts, rowsMax, ({ finishedAt, id }) => ({ finishedAt, id }));
}

export interface LedgerFacts {
  readonly eventTargetId: number;
  readonly cluster: string;
  readonly component: string;
  readonly errorKey: string;
  readonly notificationId: string | null;
  readonly pendingWithoutMessage: boolean;
  readonly notifiedWithoutRow: boolean;
}

interface LedgerKey {
  readonly event_type_id: number;
  readonly org_id: number;
  readonly cluster: string;
  readonly type: string;
  readonly component: string;
  readonly error_key: string;
}

/**
 * Answers only what is at fault. A row of `reported` that was removed is noticed by what `ccx.notification_sent_rows` knows of it, at the
 * next run; where that knows nothing of it, by nobody.
 */
export async function ledgerPage(
  queryable: Queryable,
  { eventTargetIds, cooldownSince }: AuditBounds,
  { after, rowsMax }: PageRequest<LedgerKey>,
): Promise<Page<LedgerFacts, LedgerKey>> {
  const key = 'event_type_id, org_id, cluster, type, component, error_key';
  const { rows } = await queryable.query<{ count: number; last: LedgerKey | null; facts: readonly LedgerFacts[] }>(
    `WITH page AS (
       SELECT *, row_number() OVER (ORDER BY ${key}) AS place FROM (
         SELECT ${key}, state, notification_id, reported_at FROM ${TABLE_NOTIFICATION_LEDGER}
          WHERE event_type_id = ANY($1::int[])
            AND ($3::int IS NULL OR (${key}) > ($3::int, $4::int, $5::character(36), $6::text, $7::text, $8::text))
          ORDER BY ${key} LIMIT $9) AS next),
     -- Issues of a cluster share their row.
     gone AS (
       SELECT event_type_id, org_id, cluster, reported_at FROM (
         SELECT DISTINCT event_type_id, org_id, cluster, reported_at FROM page WHERE state = 'notified' AND reported_at > $2::timestamp) AS p
        WHERE NOT ${rowExists('p', 'p.reported_at')}
          AND NOT ${isThere(`${TABLE_NOTIFICATION_SENT_ROWS} AS s
                             WHERE s.org_id = p.org_id AND s.cluster = p.cluster AND s.notified_at = p.reported_at`)}),
     judged AS (
       SELECT p.*, p.state = 'pending' AND (
                SELECT o.finished_at IS NULL FROM ${TABLE_NOTIFICATION_OUTBOX} AS o WHERE o.id = p.notification_id) IS NOT TRUE AS alone,
              p.state = 'notified' AND (p.reported_at IS NULL OR g.reported_at IS NOT NULL) AS gone
         FROM page AS p LEFT JOIN gone AS g USING (event_type_id, org_id, cluster, reported_at)
        WHERE p.state = 'pending' OR g.reported_at IS NOT NULL OR (p.state = 'notified' AND p.reported_at IS NULL AND p.event_type_id < ${RECEIVER_IDS_FROM}))
     SELECT (SELECT count(*)::int FROM page) AS count,
            (SELECT row_to_json(e) FROM (SELECT ${key} FROM page ORDER BY place DESC LIMIT 1) AS e) AS last,
            (SELECT coalesce(json_agg(json_build_object('eventTargetId', event_type_id, 'cluster', rtrim(cluster), 'component', component,
                      'errorKey', error_key, 'notificationId', notification_id, 'pendingWithoutMessage', alone,
                      'notifiedWithoutRow', gone)), '[]') FROM judged WHERE alone OR gone) AS facts`,
    [
      eventTargetIds,
      cooldownSince ?? null,
      ...[after?.event_type_id, after?.org_id, after?.cluster, after?.type, after?.component, after?.error_key].map(
        (part) => part ?? null,
      ),
      rowsMax,
    ],
  );
  const { count, last, facts } = rows[0]!;
  return { facts, rows: count, next: count < rowsMax || last === null ? undefined : last };
}

interface SentRowFacts {
  readonly eventTargetId: number;
  readonly orgId: number;
  readonly cluster: string;
  readonly notifiedAt: string;
  /** No message says that it was delivered by this row. */
  readonly alone: boolean;
}

/** Our `sent` rows within the longest cooldown that are still there; messages are kept for at least as long. */
export async function sentRowsPage(
  queryable: Queryable,
  { eventTargetIds, cooldownSince }: AuditBounds,
  { after, rowsMax }: PageRequest<Omit<SentRowFacts, 'alone'>>,
) {
  const { rows } = await queryable.query<SentRowFacts>(
    `SELECT s.event_type_id AS "eventTargetId", s.org_id AS "orgId", rtrim(s.cluster) AS cluster, s.notified_at AS "notifiedAt",
            ${rowExists('s', 's.notified_at')}
              AND NOT ${isThere(`${TABLE_NOTIFICATION_OUTBOX} AS o
               WHERE o.cluster = s.cluster AND o.event_type_id = s.event_type_id AND o.org_id = s.org_id
                 AND o.reported_at = s.notified_at`)} AS alone
       FROM ${TABLE_NOTIFICATION_SENT_ROWS} AS s
      WHERE s.ours AND s.event_type_id = ANY($1::int[]) AND s.notified_at > coalesce($2::timestamp, 'infinity')
        AND ($3::int IS NULL OR (s.event_type_id, s.notified_at, s.org_id, s.cluster) > ($3::int, $4::timestamp, $5::int, $6::character(36)))
      ORDER BY s.event_type_id, s.notified_at, s.org_id, s.cluster LIMIT $7`,
    [
      eventTargetIds,
      cooldownSince ?? null,
      ...[after?.eventTargetId, after?.notifiedAt, after?.orgId, after?.cluster].map((part) => part ?? null),
      rowsMax,
    ],
  );
  return pageOf(rows, rowsMax, ({ alone: _, ...key }) => key);
}

interface WishFact {
  readonly eventTargetId: number;
  readonly cluster: string;
  readonly id: string;
  readonly since: string;
  readonly sinceMicros: bigint;
}

/** What a person wanted to be tried again before `overdueBefore`, and what no run has taken up. */
export async function wishesPage(
  queryable: Queryable,
  { eventTargetIds, overdueBefore }: AuditBounds,
  { after, rowsMax }: PageRequest<Pick<WishFact, 'since' | 'id'>>,
) {
  const { rows } = await queryable.query<Omit<WishFact, 'sinceMicros'>>(
    `SELECT event_type_id AS "eventTargetId", rtrim(cluster) AS cluster, id, retry_requested_at AS since
       FROM ${TABLE_NOTIFICATION_OUTBOX}
      WHERE retry_requested_at < $2::timestamp AND replaced_by IS NULL AND event_type_id = ANY($1::int[])
        AND ($3::timestamp IS NULL OR (retry_requested_at, id) > ($3::timestamp, $4::uuid))
      ORDER BY retry_requested_at, id LIMIT $5`,
    [eventTargetIds, overdueBefore, after?.since ?? null, after?.id ?? null, rowsMax],
  );
  const facts = rows.map((row): WishFact => ({ ...row, sinceMicros: timestampMicros(row.since) }));
  return pageOf(facts, rowsMax, ({ since, id }) => ({ since, id }));
}

interface DueFact {
  readonly eventTargetId: number;
  readonly cluster: string;
  readonly since: string;
  readonly sinceMicros: bigint;
  /** Without a report that counts there is nothing to decide. */
  readonly hasReport: boolean;
}

/** Clusters that have been due since before `overdueBefore`. */
export async function duePage(
  queryable: Queryable,
  bounds: AuditBounds,
  { after, rowsMax }: PageRequest<Pick<DueFact, 'eventTargetId' | 'since' | 'cluster'>>,
) {
  const { rows } = await queryable.query<Omit<DueFact, 'sinceMicros'>>(
    `SELECT c.event_type_id AS "eventTargetId", rtrim(c.cluster) AS cluster, c.next_due_at AS since,
            ${isThere(`${TABLE_NEW_REPORTS} AS n WHERE n.cluster = c.cluster AND ${countsFor(bounds, 'n')}`)} AS "hasReport"
       FROM ${TABLE_NOTIFICATION_CONSIDERED} AS c
      WHERE c.event_type_id = ANY($1::int[]) AND c.next_due_at < $2::timestamp
        AND ($3::int IS NULL OR (c.event_type_id, c.next_due_at, c.cluster) > ($3::int, $4::timestamp, $5::character(36)))
      ORDER BY c.event_type_id, c.next_due_at, c.cluster LIMIT $6`,
    [
      bounds.decidingIds,
      bounds.overdueBefore,
      ...[after?.eventTargetId, after?.since, after?.cluster].map((part) => part ?? null),
      rowsMax,
    ],
  );
  const facts = rows.map((row): DueFact => ({ ...row, sinceMicros: timestampMicros(row.since) }));
  return pageOf(facts, rowsMax, ({ eventTargetId, since, cluster }) => ({ eventTargetId, since, cluster }));
}

interface ReportFact {
  readonly orgId: number;
  readonly cluster: string;
  readonly updatedAt: string;
  readonly updatedMicros: bigint;
  /** Targets that have neither decided it nor a newer one; empty where it does not count. */
  readonly undecidedFor: readonly number[];
}

/** Newest first, those that were stored before `overdueBefore`. */
export async function reportsPage(
  queryable: Queryable,
  bounds: AuditBounds,
  { after, rowsMax }: PageRequest<Pick<ReportFact, 'updatedAt' | 'orgId' | 'cluster'>>,
) {
  const { rows } = await queryable.query<Omit<ReportFact, 'updatedMicros'>>(
    `SELECT n.org_id AS "orgId", rtrim(n.cluster) AS cluster, n.updated_at AS "updatedAt",
            CASE WHEN ${countsFor(bounds, 'n')} THEN ARRAY(
              SELECT t.id FROM unnest($1::int[]) AS t(id)
               WHERE NOT ${isThere(`${TABLE_NOTIFICATION_CONSIDERED} AS c
                                    WHERE c.event_type_id = t.id AND c.cluster = n.cluster AND c.report_updated_at >= n.updated_at`)})
            ELSE '{}' END AS "undecidedFor"
       FROM ${TABLE_NEW_REPORTS} AS n
      WHERE n.updated_at < $2::timestamp AND n.updated_at >= $3::timestamp
        AND ($4::timestamp IS NULL OR (n.updated_at, n.org_id, n.cluster) < ($4::timestamp, $5::int, $6::character(36)))
      ORDER BY n.updated_at DESC, n.org_id DESC, n.cluster DESC LIMIT $7`,
    [
      bounds.decidingIds,
      bounds.overdueBefore,
      bounds.reportsSince,
      ...[after?.updatedAt, after?.orgId, after?.cluster].map((part) => part ?? null),
      rowsMax,
    ],
  );
  const facts = rows.map((row): ReportFact => ({ ...row, updatedMicros: timestampMicros(row.updatedAt) }));
  return pageOf(facts, rowsMax, ({ updatedAt, orgId, cluster }) => ({ updatedAt, orgId, cluster }));
}
