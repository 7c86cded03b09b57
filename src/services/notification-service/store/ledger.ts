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
import type { ForeignSentRow, LedgerIssue } from '../decide/decide-cluster.ts';
import { reportBytesMax } from '../decide/read-report.ts';
import { currentReason } from '../decide/reasons.ts';
import { microsOrUndefined } from '../timestamps.ts';
import { planOf, rowsJson, type StoreAccess } from './transact.ts';

/** `sent` rows of other writers read together with a set: a week of them for each of its clusters is far below. */
const foreignRowsMax = 20_000;

type WantedCluster = Pick<ForeignSentRow, 'eventTargetId' | 'orgId' | 'cluster'>;
type WantedSince = WantedCluster & { readonly since: string };

/** Key of the maps below. */
export function ledgerKey({ eventTargetId, orgId, cluster }: WantedCluster): string {
  return `${eventTargetId}/${orgId}/${cluster}`;
}

/** The ledger's issues by `ledgerKey`. */
export async function readLedger(
  { database }: Pick<StoreAccess, 'database'>,
  wanted: readonly WantedCluster[],
): Promise<Map<string, LedgerIssue[]>> {
  const { rows } = await database.query<
    WantedCluster &
      Pick<LedgerIssue, keyof Issue | 'state' | 'recorded' | 'closed'> & {
        readonly clockAt: string | null;
        readonly reason: string;
        readonly nextEligibleAt: string | null;
        readonly acknowledgementId: string | null;
        readonly silencedAt: string | null;
      }
  >(
    `SELECT l.event_type_id AS "eventTargetId", l.org_id AS "orgId", rtrim(l.cluster) AS cluster, l.type, l.component,
            l.error_key AS "errorKey", l.state, l.clock_at AS "clockAt", l.reported_at IS NOT NULL AS recorded,
            l.resolved_at IS NOT NULL AS closed, l.last_reason AS reason, l.next_eligible_at AS "nextEligibleAt",
            l.acknowledgement_id AS "acknowledgementId", l.silenced_at AS "silencedAt"
       FROM json_to_recordset($1) AS w("eventTargetId" int, "orgId" int, cluster character(36))
       JOIN ${TABLE_NOTIFICATION_LEDGER} AS l
         ON l.event_type_id = w."eventTargetId" AND l.org_id = w."orgId" AND l.cluster = w.cluster`,
    [rowsJson(wanted)],
    planOf(wanted.length),
  );
  const found = new Map<string, LedgerIssue[]>();
  for (const { eventTargetId, orgId, cluster, ...row } of rows) {
    const { clockAt, reason, nextEligibleAt, acknowledgementId, silencedAt, ...issue } = row;
    const key = ledgerKey({ eventTargetId, orgId, cluster });
    const issues = found.get(key) ?? [];
    found.set(key, issues);
    const decided = { reason: currentReason(reason), nextEligibleMicros: microsOrUndefined(nextEligibleAt) ?? null };
    const atMicros = microsOrUndefined(silencedAt);
    const silenced = atMicros === undefined ? {} : { silenced: { acknowledgementId, atMicros } };
    issues.push({ ...issue, clockMicros: microsOrUndefined(clockAt) ?? null, decided, ...silenced });
  }
  return found;
}

/** Issues that count by a `sent` row of after `since` which somebody has removed: the next run notices. */
export async function readRemovedIssues(
  { database }: Pick<StoreAccess, 'database'>,
  wanted: readonly WantedCluster[],
  since: string,
): Promise<readonly (WantedCluster & Issue)[]> {
  const { rows } = await database.query<WantedCluster & Issue>(
    `SELECT l.event_type_id AS "eventTargetId", l.org_id AS "orgId", rtrim(l.cluster) AS cluster, l.type, l.component,
            l.error_key AS "errorKey"
       FROM json_to_recordset($1) AS w("eventTargetId" int, "orgId" int, cluster character(36))
       JOIN ${TABLE_NOTIFICATION_LEDGER} AS l
         ON l.event_type_id = w."eventTargetId" AND l.org_id = w."orgId" AND l.cluster = w.cluster
      WHERE l.reported_at > $2::timestamp
        AND NOT EXISTS (SELECT FROM ${TABLE_REPORTED} AS r
                         WHERE r.org_id = l.org_id AND r.cluster = l.cluster AND r.notified_at = l.reported_at
                           AND r.state = ${STATE_SENT} AND r.event_type_id = l.event_type_id)`,
    [rowsJson(wanted), since],
  );
  return rows;
}

/** `sent` rows inside the targets' cooldowns that the ledger has not imported: the reference wrote them, before or beside us. */
export async function readUnseenSentRows({ database }: Pick<StoreAccess, 'database'>, wanted: readonly WantedSince[]) {
  const { rows } = await database.query<
    Omit<ForeignSentRow, 'issues'> & {
      /** Null when it is larger than may be read. */
      readonly report: string | null;
    }
  >(
    `SELECT r.event_type_id AS "eventTargetId", r.org_id AS "orgId", rtrim(r.cluster) AS cluster, r.notified_at AS "notifiedAt",
            CASE WHEN octet_length(r.report) <= $2::int THEN r.report END AS report
       FROM json_to_recordset($1) AS w("eventTargetId" int, "orgId" int, cluster character(36), since timestamp)
       JOIN ${TABLE_REPORTED} AS r
         ON r.event_type_id = w."eventTargetId" AND r.state = ${STATE_SENT} AND r.org_id = w."orgId" AND r.cluster = w.cluster
        AND r.notified_at > w.since
      WHERE NOT EXISTS (SELECT FROM ${TABLE_NOTIFICATION_SENT_ROWS} AS s
                         WHERE s.org_id = r.org_id AND s.cluster = r.cluster AND s.notified_at = r.notified_at
                           AND s.event_type_id = r.event_type_id)
      ORDER BY r.notified_at DESC
      LIMIT ${foreignRowsMax}`,
    [rowsJson(wanted), reportBytesMax],
    planOf(wanted.length),
  );
  return rows;
}

/** When issues of messages that wait were notified by a `sent` row inside the cooldown that was imported since they were decided. */
export async function readImported(
  { database }: Pick<StoreAccess, 'database'>,
  wanted: readonly (WantedSince & { readonly id: string })[],
) {
  const { rows } = await database.query<Issue & { readonly messageId: string; readonly notifiedAt: string }>(
    `SELECT w.id AS "messageId", l.type, l.component, l.error_key AS "errorKey", l.clock_at AS "notifiedAt"
       FROM json_to_recordset($1) AS w(id uuid, "eventTargetId" int, "orgId" int, cluster character(36), since timestamp)
       JOIN ${TABLE_NOTIFICATION_LEDGER} AS l
         ON l.event_type_id = w."eventTargetId" AND l.org_id = w."orgId" AND l.cluster = w.cluster AND l.notification_id = w.id
      WHERE l.state = 'pending' AND l.clock_at > w.since AND l.reported_at > w.since
        -- A clock that the end of an acknowledgement has ended is no news.
        AND (l.silenced_at IS NULL OR l.clock_at > l.silenced_at)`,
    [rowsJson(wanted)],
  );
  return rows;
}
