/**
 * The facts of each report, and what earlier releases recorded of it, follow `new_reports`: both are cleaned with it, and what somebody
 * else cleaned is followed after a while. Positions of partitions from which nothing has come for long, and old rows of the audit, go with
 * them. Called by the service every few minutes. What goes too late does no harm, because it counts only while its report is there
 * (`store.ts`).
 */
import { TABLE_STORED_MESSAGE, TABLE_STORED_POSITIONS } from '../../contracts/tables.ts';
import type { Database } from '../../platform/database/database.ts';
import { deleteOldRows } from '../../platform/database/delete-old-rows.ts';
import { pruneAudit } from '../../platform/records/audit.ts';
import type { createFactsSweep } from '../../platform/records/report-facts.ts';

/**
 * Both ends of the table are found in an index. An empty table means that everything was cleaned, but not a moment ago.
 * The parameter is the retention in milliseconds.
 */
const forgottenBefore = `greatest(
  (now() AT TIME ZONE 'UTC') - $1 * interval '1 millisecond',
  coalesce((SELECT min(n.updated_at) FROM new_reports n), (now() AT TIME ZONE 'UTC') - interval '1 hour'))`;

interface Following {
  readonly retentionMs: number;
  /** Goes on where it stopped in the last call. */
  readonly sweepFacts: ReturnType<typeof createFactsSweep>;
  readonly signal?: AbortSignal;
}

/**
 * Records of earlier releases that are older than the oldest report, and all that are older than `retentionMs`, as are positions; facts whose
 * report is gone. Answers how many rows went.
 */
export async function followNewReports(database: Database, options: Following): Promise<number> {
  const { rows } = await database.query<{ before: string }>(`SELECT (${forgottenBefore})::text AS before`, [
    options.retentionMs,
  ]);
  const records = await deleteOldRows(
    database,
    {
      ...{ table: TABLE_STORED_MESSAGE, age: 'updated_at', through: 'index' },
      before: rows[0]!.before,
      // Asked again by each slice: a report with an older time may have come meanwhile, and then its record counts.
      where: `t.updated_at < ${forgottenBefore}`,
      values: [options.retentionMs],
    },
    options,
  );
  const { rowCount: positions } = await database.query(
    `DELETE FROM ${TABLE_STORED_POSITIONS} WHERE moved_at < (now() AT TIME ZONE 'UTC') - $1 * interval '1 millisecond'`,
    [options.retentionMs],
  );
  const facts = await options.sweepFacts(database, options.signal);
  return records + positions + facts + (await pruneAudit(database, options));
}
