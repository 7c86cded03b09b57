/**
 * Which rows of the notification service's own tables nobody needs any more: finished messages, resolved issues, what was considered of
 * clusters that report no longer. Never what a cooldown still counts by. Used by the service's retention and by `ccx db cleanup`.
 */
import {
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
  /** Issues that were seen last before go. */
  readonly seenBefore: string;
  /** What was decided or sent before goes, and nothing later than a cooldown counts by. */
  readonly forgottenBefore: string;
  /** Start of the longest cooldown that ends now: what was sent since then counts and stays. */
  readonly cooldownSince: string;
}

/** By the names of the tables, without their schema. */
export function oldNotifications(moments: NotificationMoments) {
  return {
    notification_outbox: {
      ...{ table: TABLE_NOTIFICATION_OUTBOX, age: 'finished_at', through: 'index' },
      before: moments.finishedBefore,
    },
    notification_ledger: {
      ...{ table: TABLE_NOTIFICATION_LEDGER, age: 'last_seen_at', through: 'blocks' },
      before: moments.seenBefore,
      where: `t.resolved_at IS NOT NULL AND t.state <> 'pending' AND coalesce(t.clock_at < $1::timestamp, true)`,
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
