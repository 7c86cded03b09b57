/**
 * Which rows of the notification service's own tables nobody needs any more: finished messages, closed issues with what was decided about
 * them, clusters that report no longer. Never what a cooldown still counts by. Used by the service's retention and by `ccx db cleanup`.
 */
import {
  TABLE_CLUSTERS,
  TABLE_ISSUES,
  TABLE_NEW_REPORTS,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_SENT_ROWS,
  TABLE_REPORTED,
} from '../../contracts/tables.ts';
import type { OldRows } from '../database/delete-old-rows.ts';

/** As timestamps in text. */
export interface NotificationMoments {
  /** Messages that were finished before go, and no later ones than a cooldown counts by. */
  readonly finishedBefore: string;
  /** Issues that were closed before go, and clusters that reported last before and are stale or retired. */
  readonly seenBefore: string;
  /** What was decided or sent before goes, and nothing later than a cooldown counts by. */
  readonly forgottenBefore: string;
  /** Start of the longest cooldown that ends now: what was sent since then counts and stays. */
  readonly cooldownSince: string;
}

/**
 * By the names of the tables, without their schema, in the order in which they are deleted from: what is known of an issue goes with it.
 * `issuesKept`: false on a database that has no table of issues yet.
 */
export function oldNotifications(moments: NotificationMoments, { issuesKept }: { readonly issuesKept: boolean }) {
  const hasIssue = `EXISTS (SELECT FROM ${TABLE_ISSUES} AS i
                             WHERE i.org_id = t.org_id AND i.cluster = t.cluster AND i.type = t.type AND i.component = t.component
                               AND i.error_key = t.error_key)`;
  return {
    clusters: {
      ...{ table: TABLE_CLUSTERS, age: 'last_report_at', through: 'blocks' },
      before: moments.seenBefore,
      where: `t.state <> 'reporting' AND t.state_since < $1::timestamp
              AND NOT EXISTS (SELECT FROM ${TABLE_NEW_REPORTS} AS n WHERE n.org_id = t.org_id AND n.cluster = t.cluster)`,
      values: [moments.seenBefore],
      companions: [{ table: TABLE_ISSUES, key: ['org_id', 'cluster'] }],
    },
    issues: {
      ...{ table: TABLE_ISSUES, age: 'changed_at', through: 'index', within: `t.state NOT IN ('open', 'gone')` },
      before: moments.seenBefore,
    },
    notification_outbox: {
      ...{ table: TABLE_NOTIFICATION_OUTBOX, age: 'finished_at', through: 'index' },
      before: moments.finishedBefore,
    },
    notification_ledger: {
      ...{ table: TABLE_NOTIFICATION_LEDGER, age: 'last_seen_at', through: 'blocks' },
      before: moments.seenBefore,
      where: `t.state <> 'pending' AND coalesce(t.clock_at < $1::timestamp, true)
              AND ${issuesKept ? `NOT ${hasIssue}` : 't.resolved_at IS NOT NULL'}`,
      values: [moments.cooldownSince],
    },
    notification_considered: {
      ...{ table: TABLE_NOTIFICATION_CONSIDERED, age: 'decided_at', through: 'blocks' },
      before: moments.forgottenBefore,
      where: `NOT EXISTS (SELECT FROM ${TABLE_NEW_REPORTS} AS n WHERE n.cluster = t.cluster)`,
    },
    notification_sent_rows: {
      ...{ table: TABLE_NOTIFICATION_SENT_ROWS, age: 'notified_at', through: 'blocks' },
      before: moments.forgottenBefore,
      where: `NOT EXISTS (SELECT FROM ${TABLE_REPORTED} AS r
                           WHERE r.org_id = t.org_id AND r.cluster = t.cluster AND r.notified_at = t.notified_at)`,
    },
  } as const satisfies Record<string, OldRows>;
}
