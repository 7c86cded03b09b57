/**
 * What a run has to know before it can begin, and whether others left it something to take up, in one statement: runs may follow each other
 * within milliseconds, and mostly there is nothing. Called by `begin-run.ts`.
 */

import {
  RECEIVER_IDS_FROM,
  STATE_SENT,
  TABLE_CLUSTER_OWNERS,
  TABLE_NEW_REPORTS,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_SENT_ROWS,
  TABLE_REPORTED,
  TABLE_STORED_MESSAGE,
} from '../../../contracts/tables.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import { microsOrUndefined, timestampText } from '../timestamps.ts';
import { areAcknowledgementsNews } from './acknowledgements.ts';
import { wantedAgain } from './outbox.ts';
import { rowsJson } from './transact.ts';

export type Beginning = Awaited<ReturnType<typeof readBeginning>>;

/** `nowMicros`: what counts as now; undefined: the server's clock. */
export async function readBeginning(
  database: Queryable,
  { nowMicros, eventTargetIds }: { readonly nowMicros: bigint | undefined; readonly eventTargetIds: readonly number[] },
) {
  const { rows } = await database.query<{
    now: bigint;
    requestIdsKept: boolean;
    ownersKnown: boolean;
    newest: string | null;
    acknowledgements: boolean;
    wanted: readonly number[];
    due: readonly number[];
    neverNotified: readonly number[];
  }>(
    `WITH moment AS MATERIALIZED (SELECT coalesce($1::timestamp, statement_timestamp() AT TIME ZONE 'UTC') AS at)
     SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now,
            to_regclass($2) IS NOT NULL AS "requestIdsKept", to_regclass($3) IS NOT NULL AS "ownersKnown",
            (SELECT max(updated_at) FROM ${TABLE_NEW_REPORTS}
              WHERE updated_at > 'epoch' AND updated_at < (SELECT at FROM moment)) AS newest,
            ${areAcknowledgementsNews('(SELECT at FROM moment)')} AS acknowledgements,
            ARRAY(SELECT DISTINCT o.event_type_id FROM ${TABLE_NOTIFICATION_OUTBOX} AS o WHERE ${wantedAgain}) AS wanted,
            ARRAY(SELECT t.id FROM json_to_recordset($4) AS t(id int)
                   WHERE (SELECT o.next_attempt_at FROM ${TABLE_NOTIFICATION_OUTBOX} AS o
                           WHERE o.event_type_id = t.id AND o.next_attempt_at IS NOT NULL
                           ORDER BY o.next_attempt_at LIMIT 1) <= (SELECT at FROM moment) + interval '1 second') AS due,
            ARRAY(SELECT t.id FROM json_to_recordset($4) AS t(id int)
                   WHERE NOT EXISTS (SELECT FROM ${TABLE_NOTIFICATION_SENT_ROWS} AS s WHERE s.event_type_id = t.id)
                     AND NOT EXISTS (SELECT FROM ${TABLE_REPORTED} AS r
                                      WHERE r.event_type_id = t.id AND r.state = ${STATE_SENT})
                     AND NOT (t.id >= ${RECEIVER_IDS_FROM} AND EXISTS (
                       SELECT FROM ${TABLE_NOTIFICATION_LEDGER} AS l
                        WHERE l.event_type_id = t.id AND l.last_notified_at IS NOT NULL))) AS "neverNotified"`,
    [
      nowMicros === undefined ? null : timestampText(nowMicros),
      TABLE_STORED_MESSAGE,
      TABLE_CLUSTER_OWNERS,
      rowsJson(eventTargetIds.map((id) => ({ id }))),
    ],
    { plan: 'kept' },
  );
  const { newest, wanted, due, neverNotified, ...row } = rows[0]!;
  return {
    ...row,
    /** Of the newest report that was stored until now, by the clock of whoever stored it; 0 where there is none. */
    newestMicros: microsOrUndefined(newest) ?? 0n,
    /** Targets with messages that a person wants to be tried again. */
    wanted: new Set(wanted),
    /** Targets with messages that are due to be sent, or whose claim has outlived its lease, by the end of a short run. */
    due: new Set(due),
    /** Targets that were never notified of anything that still shows: no notification of theirs in the ledger, and no `sent` row. */
    neverNotified: new Set(neverNotified),
  };
}
