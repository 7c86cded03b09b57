/**
 * Deletes what nobody needs any more, in slices: finished messages, closed issues, clusters that report no longer, old
 * events, and, where the settings say so, old reports. Never what a cooldown still counts by. Called at the end of a run, now and then.
 * Source: architecture.md 5 (retention of whatever the embedded default stores).
 */
import { STATE_SENT, TABLE_NEW_REPORTS, TABLE_REPORTED } from '../../../contracts/tables.ts';
import { deleteOldRows, type OldRows } from '../../../platform/database/delete-old-rows.ts';
import { pruneAudit } from '../../../platform/records/audit.ts';
import { longestCooldown } from '../../../platform/records/cooldowns.ts';
import { deleteOldEvents, makeEventMonths } from '../../../platform/records/issue-event-months.ts';
import { type NotificationMoments, oldNotifications } from '../../../platform/records/old-notifications.ts';
import { deleteOldReports } from '../../../platform/records/old-rows.ts';
import type { NotificationServiceSettings } from '../config.ts';
import { microsOfMs, timestampText } from '../timestamps.ts';
import type { StoreAccess } from './transact.ts';

interface Moments extends NotificationMoments {
  /** Null where reports stay for good. */
  readonly reportsBefore: string | null;
  /** What happened to issues before goes. */
  readonly eventsBefore: string;
}

const sharedRows = (before: string, { cooldownSince }: Moments) =>
  ({
    new_reports: { table: TABLE_NEW_REPORTS, age: 'updated_at', through: 'index', before },
    reported: {
      ...{ table: TABLE_REPORTED, age: 'updated_at', through: 'index', before },
      where: `NOT (t.state = ${STATE_SENT} AND t.notified_at > $1::timestamp)`,
      values: [cooldownSince],
    },
  }) as const satisfies Record<string, OldRows>;

type RetainedTable = keyof ReturnType<typeof oldNotifications> | keyof ReturnType<typeof sharedRows> | 'issue_events';

interface Pass {
  /** The longest cooldown of this process's targets, as it ends now. */
  readonly cooldownMicros: bigint;
  /** Of each table, about: the next pass goes on. */
  readonly rowsMax: number;
  /** Stops between two slices. */
  readonly signal: AbortSignal;
}

/** Rows deleted by table; `more` where a table has some left. */
export async function deleteExpired(
  store: StoreAccess,
  retention: NotificationServiceSettings['retention'],
  { cooldownMicros, rowsMax, signal }: Pass,
): Promise<{ readonly deleted: ReadonlyMap<RetainedTable, number>; readonly more: boolean }> {
  const moments = await readMoments(store, retention, cooldownMicros);
  await makeEventMonths(store.database, store.nowMicros());
  const old: Partial<Record<RetainedTable, OldRows>> = oldNotifications(moments, { issuesKept: true });
  if (moments.reportsBefore !== null) {
    Object.assign(old, sharedRows(moments.reportsBefore, moments));
  }
  const deleted = new Map<RetainedTable, number>();
  for (const [table, rows] of Object.entries(old) as [RetainedTable, OldRows][]) {
    const remove = table === TABLE_NEW_REPORTS ? deleteOldReports : deleteOldRows;
    deleted.set(table, await remove(store.database, { ...rows, rowsMax }, { signal, clock: store.clock }));
  }
  deleted.set(
    'issue_events',
    await deleteOldEvents(store.database, moments.eventsBefore, { signal, clock: store.clock }),
  );
  await pruneAudit(store.database, { signal });
  return { deleted, more: [...deleted.values()].some((count) => count >= rowsMax) };
}

async function readMoments(
  { database, nowMicros }: StoreAccess,
  { outboxMs, issuesMs, eventsMs, reportsMaxAge }: NotificationServiceSettings['retention'],
  cooldownMicros: bigint,
): Promise<Moments> {
  const micros = nowMicros();
  const { rows } = await database.query<Omit<Moments, 'eventsBefore'>>(
    `SELECT "issuesBefore"::text AS "seenBefore", "cooldownSince"::text, least("outboxBefore", "cooldownSince")::text AS "finishedBefore",
            least("issuesBefore", "cooldownSince")::text AS "forgottenBefore", ($1::timestamp - $6::interval)::text AS "reportsBefore"
       FROM (SELECT $2::timestamp AS "outboxBefore", $3::timestamp AS "issuesBefore",
                    least($4::timestamp, $1::timestamp - $5::interval) AS "cooldownSince") AS moments`,
    [
      timestampText(micros),
      timestampText(micros - microsOfMs(outboxMs)),
      timestampText(micros - microsOfMs(issuesMs)),
      timestampText(micros - cooldownMicros),
      // Another process may serve a target with a longer one.
      (await longestCooldown(database)) ?? '0',
      reportsMaxAge === '' ? null : reportsMaxAge,
    ],
  );
  return { ...rows[0]!, eventsBefore: timestampText(micros - microsOfMs(eventsMs)) };
}
