/**
 * Reads the ledger, and the `sent` rows of `reported` that somebody else wrote, one statement for a set of clusters each. Called by the
 * decide step, and when a message that waited is decided once more. Source: notification-service.md 5.2, 8.2.
 */

import type { Issue } from '../../../contracts/issue.ts';
import {
  STATE_SENT,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_SENT_ROWS,
  TABLE_REPORTED,
} from '../../../contracts/tables.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import type { LedgerIssue, LedgerState } from '../decide/decide-cluster.ts';
import { reportBytesMax } from '../decide/read-report.ts';
import { timestampMicros } from '../timestamps.ts';
import { rowsJson } from './transact.ts';

/** `sent` rows of other writers read together with a set: a week of them for each of its clusters is far below. */
const foreignRowsMax = 20_000;

export type LedgerStore = ReturnType<typeof createLedgerStore>;

export function createLedgerStore(database: Queryable) {
  return {
    read: (wanted: readonly WantedCluster[]) => readLedger(database, wanted),
    unseenSentRows: (wanted: readonly (WantedCluster & { readonly since: string })[]) =>
      readUnseenSentRows(database, wanted),
    imported: (wanted: readonly (WantedCluster & { readonly id: string; readonly since: string })[]) =>
      readImported(database, wanted),
  };
}

interface WantedCluster {
  readonly eventTargetId: number;
  readonly orgId: number;
  readonly cluster: string;
}

/** Key of the maps below. */
export function ledgerKey(eventTargetId: number, orgId: number, cluster: string): string {
  return `${eventTargetId}/${orgId}/${cluster}`;
}

/** The ledger's issues by `ledgerKey`. */
export async function readLedger(
  queryable: Queryable,
  wanted: readonly WantedCluster[],
): Promise<Map<string, LedgerIssue[]>> {
  const { rows } = await queryable.query<{
    event_type_id: number;
    org_id: number;
    cluster: string;
    type: string;
    component: string;
    error_key: string;
    state: LedgerState;
    clock_at: string | null;
    recorded: boolean;
    resolved: boolean;
    last_reason: string;
    next_eligible_at: string | null;
  }>(
    `SELECT l.event_type_id, l.org_id, rtrim(l.cluster) AS cluster, l.type, l.component, l.error_key, l.state, l.clock_at,
            l.reported_at IS NOT NULL AS recorded, l.resolved_at IS NOT NULL AS resolved, l.last_reason, l.next_eligible_at
       FROM json_to_recordset($1) AS w(event_type_id int, org_id int, cluster character(36))
       JOIN ${TABLE_NOTIFICATION_LEDGER} AS l USING (event_type_id, org_id, cluster)`,
    [rowsJson(wanted.map((one) => ({ event_type_id: one.eventTargetId, org_id: one.orgId, cluster: one.cluster })))],
  );
  const found = new Map<string, LedgerIssue[]>();
  for (const row of rows) {
    const key = ledgerKey(row.event_type_id, row.org_id, row.cluster);
    const issues = found.get(key) ?? [];
    found.set(key, issues);
    issues.push({
      type: row.type,
      component: row.component,
      errorKey: row.error_key,
      state: row.state,
      clockMicros: row.clock_at === null ? null : timestampMicros(row.clock_at),
      recorded: row.recorded,
      resolved: row.resolved,
      decided: {
        reason: row.last_reason,
        nextEligibleMicros: row.next_eligible_at === null ? null : timestampMicros(row.next_eligible_at),
      },
    });
  }
  return found;
}

interface UnseenSentRow {
  readonly eventTargetId: number;
  readonly orgId: number;
  readonly cluster: string;
  readonly notifiedAt: string;
  /** Undefined when it is larger than may be read. */
  readonly report: string | undefined;
}

/** `sent` rows inside the targets' cooldowns that the ledger has not imported: the reference wrote them, before or beside us. */
async function readUnseenSentRows(
  queryable: Queryable,
  wanted: readonly (WantedCluster & { readonly since: string })[],
): Promise<UnseenSentRow[]> {
  const { rows } = await queryable.query<{
    event_type_id: number;
    org_id: number;
    cluster: string;
    notified_at: string;
    report: string | null;
  }>(
    `SELECT r.event_type_id, r.org_id, rtrim(r.cluster) AS cluster, r.notified_at,
            CASE WHEN octet_length(r.report) <= $2::int THEN r.report END AS report
       FROM json_to_recordset($1) AS w(event_type_id int, org_id int, cluster character(36), since timestamp)
       JOIN ${TABLE_REPORTED} AS r
         ON r.event_type_id = w.event_type_id AND r.state = ${STATE_SENT} AND r.org_id = w.org_id AND r.cluster = w.cluster
        AND r.notified_at > w.since
      WHERE NOT EXISTS (SELECT FROM ${TABLE_NOTIFICATION_SENT_ROWS} AS s
                         WHERE s.org_id = r.org_id AND s.cluster = r.cluster AND s.notified_at = r.notified_at
                           AND s.event_type_id = r.event_type_id)
      ORDER BY r.notified_at DESC
      LIMIT $3`,
    [
      rowsJson(
        wanted.map((one) => ({
          event_type_id: one.eventTargetId,
          org_id: one.orgId,
          cluster: one.cluster,
          since: one.since,
        })),
      ),
      reportBytesMax,
      foreignRowsMax,
    ],
  );
  return rows.map((row) => ({
    eventTargetId: row.event_type_id,
    orgId: row.org_id,
    cluster: row.cluster,
    notifiedAt: row.notified_at,
    report: row.report ?? undefined,
  }));
}

/** When issues of messages that wait were notified by a `sent` row inside the cooldown that was imported since they were decided. */
async function readImported(
  queryable: Queryable,
  wanted: readonly (WantedCluster & { readonly id: string; readonly since: string })[],
): Promise<readonly ImportedNotification[]> {
  const { rows } = await queryable.query<{
    id: string;
    type: string;
    component: string;
    error_key: string;
    clock_at: string;
  }>(
    `SELECT w.id, l.type, l.component, l.error_key, l.clock_at
       FROM json_to_recordset($1) AS w(id uuid, "eventTargetId" int, "orgId" int, cluster character(36), since timestamp)
       JOIN ${TABLE_NOTIFICATION_LEDGER} AS l
         ON l.event_type_id = w."eventTargetId" AND l.org_id = w."orgId" AND l.cluster = w.cluster AND l.notification_id = w.id
      WHERE l.state = 'pending' AND l.clock_at > w.since AND l.reported_at > w.since`,
    [rowsJson(wanted.map((one) => ({ ...one })))],
  );
  return rows.map((row) => ({
    messageId: row.id,
    issue: { type: row.type, component: row.component, errorKey: row.error_key },
    notifiedAt: row.clock_at,
  }));
}

interface ImportedNotification {
  readonly messageId: string;
  readonly issue: Issue;
  readonly notifiedAt: string;
}
