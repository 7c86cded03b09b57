/**
 * Statements of the rounds that post alerts: which issues are there beside what the ledger knows of them, page by page in the order of their
 * key; what begins and ends; what is to be posted; and who posts. Nothing is written for what did not change. Source: receivers.md 1.
 */
import type { Issue, IssueState } from '../../../contracts/issue.ts';
import {
  TABLE_CLUSTER_OWNERS,
  TABLE_CLUSTERS,
  TABLE_ISSUES,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_TARGETS,
} from '../../../contracts/tables.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import { recordIssueEvents } from '../../../platform/records/issue-events.ts';
import { ALERT_ACTIVE, type AlertChange, reasonOfClosed, type StoredAlert } from '../decide/decide-alert.ts';
import { timestampText } from '../timestamps.ts';
import { unnest } from './row-arrays.ts';
import { type StoreAccess, transact } from './transact.ts';

/** Issues looked at together: with their texts some hundred kB. */
export const issuesPerPageMax = 1_000;

type IssueKey = Issue & { readonly orgId: number; readonly cluster: string };

/** An issue that is there, with what the ledger of the receiver says of it. */
export interface IssueOfPage extends IssueKey {
  readonly moved: boolean;
  readonly firstSeenAt: string;
  readonly lastSeenAt: string;
  readonly appearedAt: string;
  readonly clusterName: string | null;
  readonly staleSince: string | null;
  /** Null: the ledger has no row of it. */
  readonly reason: string | null;
  readonly acknowledgementId: string | null;
  readonly notificationId: string | null;
  readonly toldAs: string | null;
  readonly closed: boolean;
}

const keyColumns = ['org_id', 'cluster', 'type', 'component', 'error_key'];
const keyOf = (alias: string) => keyColumns.map((column) => `${alias}.${column}`).join(', ');
/** Behind the first five parameters after `from`. */
const behind = (alias: string, from: number) =>
  `(${keyOf(alias)}) > ($${from}::int, $${from + 1}::character(36), $${from + 2}::text, $${from + 3}::text, $${from + 4}::text)`;
/**
 * Joined row by row, by its primary key: OFFSET keeps the server from reading a whole table for one page.
 */
const lookedUp = (alias: string, table: string, by: string, and = 'true') =>
  `LEFT JOIN LATERAL (SELECT * FROM ${table} AS ${alias} WHERE ${and} AND (${keyOf(alias)}) = (${keyOf(by)}) OFFSET 0) AS ${alias} ON true`;
const firstKey: IssueKey = { orgId: -(2 ** 31), cluster: '', type: '', component: '', errorKey: '' };
const valuesOf = ({ orgId, cluster, type, component, errorKey }: IssueKey) => [
  ...[orgId, cluster, type, component, errorKey],
];
const ofCluster = `k.name AS "clusterName", CASE WHEN k.state = 'stale' THEN k.state_since::text END AS "staleSince"`;

/** Issues that are there, or have been away for too short to be resolved, behind a key. */
export async function issuesPage(
  queryable: Queryable,
  {
    eventTargetId,
    ownersKnown,
    after = firstKey,
  }: AlertsOf & { readonly ownersKnown: boolean; readonly after: IssueKey | undefined },
): Promise<readonly IssueOfPage[]> {
  // A cluster without an owner is whose report of it is the newest.
  const newer = `EXISTS (SELECT FROM ${TABLE_CLUSTERS} AS other
    WHERE other.cluster = i.cluster AND other.org_id <> i.org_id AND other.last_report_at > k.last_report_at)`;
  const moved = ownersKnown
    ? `coalesce((SELECT owner.org_id <> i.org_id FROM ${TABLE_CLUSTER_OWNERS} AS owner WHERE owner.cluster = i.cluster LIMIT 1), ${newer})`
    : newer;
  const { rows } = await queryable.query<IssueOfPage>(
    `SELECT i.org_id AS "orgId", rtrim(i.cluster) AS cluster, i.type, i.component, i.error_key AS "errorKey", ${moved} AS moved,
            i.first_seen_at::text AS "firstSeenAt", coalesce(i.last_seen_at, k.issues_report_at, i.changed_at)::text AS "lastSeenAt",
            i.appeared_at::text AS "appearedAt", ${ofCluster}, l.last_reason AS reason, l.acknowledgement_id AS "acknowledgementId",
            l.notification_id AS "notificationId", l.told_as AS "toldAs", l.resolved_at IS NOT NULL AS closed
       -- The page first, from the primary key alone, whatever the planner thinks of the tables.
       FROM (SELECT * FROM ${TABLE_ISSUES} AS i WHERE i.state IN ('open', 'gone') AND ${behind('i', 2)}
              ORDER BY ${keyOf('i')} LIMIT ${issuesPerPageMax}) AS i
       JOIN ${TABLE_CLUSTERS} AS k ON k.org_id = i.org_id AND k.cluster = i.cluster
       ${lookedUp('l', TABLE_NOTIFICATION_LEDGER, 'i', 'l.event_type_id = $1')}
      ORDER BY ${keyOf('i')}`,
    [eventTargetId, ...valuesOf(after)],
  );
  return rows;
}

interface AlertsOf {
  readonly eventTargetId: number;
}

export interface ChangedAlert {
  readonly issue: IssueOfPage;
  readonly change: AlertChange;
  /** Of one that begins. */
  readonly notificationId: string | null;
}

/** Rows of one page, in one transaction. The moment of an end is when it was decided; a reason that only changed leaves it. */
export async function writeAlertChanges(
  store: StoreAccess,
  { eventTargetId }: AlertsOf,
  changes: readonly ChangedAlert[],
): Promise<void> {
  if (changes.length === 0) return;
  const now = store.nowMicros();
  const rows = changes.map(({ issue, change, notificationId }) => ({
    ...{ org_id: issue.orgId, cluster: issue.cluster, type: issue.type, component: issue.component },
    ...{ error_key: issue.errorKey, first_seen_at: issue.firstSeenAt, last_seen_at: issue.lastSeenAt },
    ...{ begins: change.kind === 'begins', decided: change.kind !== 'explained', notification_id: notificationId },
    last_reason: change.kind === 'begins' ? ALERT_ACTIVE : change.reason,
    told_as: change.kind === 'begins' ? change.toldAs : null,
    acknowledgement_id: change.kind === 'begins' ? null : change.acknowledgementId,
  }));
  await transact(store, async (tx) => {
    const values: unknown[] = [eventTargetId, timestampText(now)];
    const columns =
      'org_id int, cluster bpchar, type text, component text, error_key text, first_seen_at timestamp, last_seen_at timestamp, begins boolean, decided boolean, notification_id uuid, last_reason text, told_as text, acknowledgement_id uuid';
    await tx.query(
      `WITH w AS MATERIALIZED (SELECT * FROM ${unnest('u', values, columns, rows)})
       INSERT INTO ${TABLE_NOTIFICATION_LEDGER} AS l
              (event_type_id, org_id, cluster, type, component, error_key, state, first_seen_at, last_seen_at, notification_id, last_reason,
               told_as, acknowledgement_id, silenced_at, decided_at)
       SELECT $1, w.org_id, w.cluster, w.type, w.component, w.error_key, 'open', w.first_seen_at, w.last_seen_at, w.notification_id,
              w.last_reason, w.told_as, w.acknowledgement_id, CASE WHEN w.acknowledgement_id IS NOT NULL THEN $2::timestamp END, $2::timestamp
         FROM w
       ON CONFLICT (event_type_id, org_id, cluster, type, component, error_key) DO UPDATE
          SET state = CASE WHEN excluded.last_reason = '${ALERT_ACTIVE}' THEN 'open' ELSE l.state END,
              last_seen_at = excluded.last_seen_at, resolved_at = NULL,
              notification_id = coalesce(excluded.notification_id, l.notification_id),
              told_as = coalesce(excluded.told_as, l.told_as), last_reason = excluded.last_reason,
              acknowledgement_id = excluded.acknowledgement_id, silenced_at = coalesce(excluded.silenced_at, l.silenced_at),
              decided_at = CASE WHEN l.last_reason = '${ALERT_ACTIVE}' OR excluded.last_reason = '${ALERT_ACTIVE}'
                                THEN excluded.decided_at ELSE l.decided_at END`,
      values,
    );
  });
}

/** Ends what the ledger has as there and what is closed, or not known any more. Answers how many alerts ended. */
export async function endClosedAlerts(store: StoreAccess, { eventTargetId }: AlertsOf): Promise<number> {
  const reasons = (['resolved', 'rule-removed', 'cluster-retired'] satisfies IssueState[]).map(
    (state) => `WHEN '${state}' THEN '${reasonOfClosed(state)}'`,
  );
  let ended = 0;
  for (;;) {
    const { rows } = await store.database.query<{ wasActive: boolean }>(
      `WITH closed AS (
         SELECT ${keyOf('l')}, l.last_reason = '${ALERT_ACTIVE}' AS was_active,
                CASE i.state ${reasons.join(' ')} ELSE '${reasonOfClosed(null)}' END AS reason
           FROM ${TABLE_NOTIFICATION_LEDGER} AS l
           ${lookedUp('i', TABLE_ISSUES, 'l')}
          WHERE l.event_type_id = $1 AND l.resolved_at IS NULL AND (i.state IS NULL OR i.state NOT IN ('open', 'gone'))
          ORDER BY ${keyOf('l')} LIMIT ${issuesPerPageMax})
       UPDATE ${TABLE_NOTIFICATION_LEDGER} AS l
          SET resolved_at = $2::timestamp, last_reason = closed.reason, acknowledgement_id = NULL,
              decided_at = CASE WHEN closed.was_active THEN $2::timestamp ELSE l.decided_at END
         FROM closed WHERE l.event_type_id = $1 AND (${keyOf('l')}) = (${keyOf('closed')})
       RETURNING closed.was_active AS "wasActive"`,
      [eventTargetId, timestampText(store.nowMicros())],
    );
    ended += rows.filter(({ wasActive }) => wasActive).length;
    if (rows.length < issuesPerPageMax) return ended;
  }
}

export interface PostedAlert extends StoredAlert {
  /** `notified` once anybody has taken it. */
  readonly state: string;
}

/** What is active, and what ended since a moment, behind a key: what one round posts, a page of it. */
export async function alertsPage(
  queryable: Queryable,
  {
    eventTargetId,
    endedSince,
    rowsMax,
    after = firstKey,
  }: AlertsOf & { readonly endedSince: string | null; readonly rowsMax: number; readonly after: IssueKey | undefined },
): Promise<readonly PostedAlert[]> {
  const { rows } = await queryable.query<PostedAlert>(
    `SELECT l.org_id AS "orgId", rtrim(l.cluster) AS cluster, l.type, l.component, l.error_key AS "errorKey", l.last_reason AS reason,
            l.acknowledgement_id AS "acknowledgementId", l.notification_id AS "notificationId", l.told_as AS "toldAs",
            l.decided_at::text AS "decidedAt", l.state, i.appeared_at::text AS "appearedAt", ${ofCluster}
       FROM (SELECT * FROM ${TABLE_NOTIFICATION_LEDGER} AS l
              WHERE l.event_type_id = $1 AND l.told_as IS NOT NULL AND l.notification_id IS NOT NULL
                AND (l.last_reason = '${ALERT_ACTIVE}' OR l.decided_at > $7::timestamp) AND ${behind('l', 2)}
              ORDER BY l.event_type_id, ${keyOf('l')} LIMIT ${rowsMax}) AS l
       ${lookedUp('i', TABLE_ISSUES, 'l')}
       LEFT JOIN ${TABLE_CLUSTERS} AS k ON k.org_id = l.org_id AND k.cluster = l.cluster
      ORDER BY ${keyOf('l')}`,
    [eventTargetId, ...valuesOf(after), endedSince],
  );
  return rows;
}

/** Those that somebody has taken for the first time, with what happened to their issues. */
export async function markAlertsTaken(
  store: StoreAccess,
  { eventTargetId }: AlertsOf,
  taken: readonly PostedAlert[],
): Promise<void> {
  const first = taken.filter(({ state, reason }) => state !== 'notified' && reason === ALERT_ACTIVE);
  if (first.length === 0) return;
  const now = timestampText(store.nowMicros());
  await transact(store, async (tx) => {
    const values: unknown[] = [eventTargetId, now];
    const rows = first.map((one) => ({ ...one, org_id: one.orgId, error_key: one.errorKey, id: one.notificationId }));
    const columns = 'org_id int, cluster bpchar, type text, component text, error_key text, id uuid';
    const marked = await tx.query<{ id: string }>(
      `UPDATE ${TABLE_NOTIFICATION_LEDGER} AS l SET state = 'notified', last_notified_at = $2::timestamp
         FROM ${unnest('u', values, columns, rows)}
        WHERE l.event_type_id = $1 AND (${keyOf('l')}) = (${keyOf('u')}) AND l.notification_id = u.id AND l.state <> 'notified'
       RETURNING l.notification_id AS id`,
      values,
    );
    const ids = new Set(marked.rows.map(({ id }) => id));
    await recordIssueEvents(
      tx,
      first
        .filter(({ notificationId }) => ids.has(notificationId))
        .map(({ orgId, cluster, type, component, errorKey, notificationId }) => ({
          ...{ at: now, orgId, cluster, issue: { type, component, errorKey }, event: 'notified' },
          ...{ eventTypeId: eventTargetId, notificationId },
        })),
    );
  });
}

/** True where this process posts to the receiver until then: it did before, or nobody does. */
export async function takeLease(
  store: StoreAccess,
  { eventTargetId, token, untilMicros }: AlertsOf & { readonly token: string; readonly untilMicros: bigint },
): Promise<boolean> {
  const { rowCount } = await store.database.query(
    `UPDATE ${TABLE_NOTIFICATION_TARGETS} SET lease_token = $2, lease_until = $3::timestamp
      WHERE event_type_id = $1 AND (lease_token IS NULL OR lease_token = $2 OR lease_until IS NULL OR lease_until <= $4::timestamp)`,
    [eventTargetId, token, timestampText(untilMicros), timestampText(store.nowMicros())],
  );
  return rowCount > 0;
}

/** Whoever waits takes over at once. */
export async function endLease(store: StoreAccess, { eventTargetId, token }: AlertsOf & { readonly token: string }) {
  await store.database.query(
    `UPDATE ${TABLE_NOTIFICATION_TARGETS} SET lease_token = NULL, lease_until = NULL WHERE event_type_id = $1 AND lease_token = $2`,
    [eventTargetId, token],
  );
}
