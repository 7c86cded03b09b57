/**
 * The writer's record of what it stored, and the facts of each report, follow `new_reports`: both are cleaned with it, and what somebody
 * else cleaned is followed after a while. Called by the service every few minutes and by the commands that clean. What goes too late does
 * no harm, because it counts only while its report is there (`store.ts`).
 */
import { TABLE_STORED_MESSAGE } from '../../contracts/tables.ts';
import type { Queryable } from '../../platform/database/database.ts';
import { forgetFactsWithoutReport } from '../../platform/records/report-facts.ts';

/** Rows removed at once, so that no statement holds up anybody for long. */
export const maintenanceRowsMax = 5_000;

/** Records older than an age, as PostgreSQL reads intervals (`7 days`): the rule of `--new-reports-cleanup`. Resolves to how many went. */
export function cleanStoredMessages(queryable: Queryable, maxAge: string): Promise<number> {
  return deleteInPortions(queryable, {
    where: `updated_at < (now() AT TIME ZONE 'UTC') - $1::interval`,
    values: [maxAge],
  });
}

/** Records that are older than the oldest report, and all that are older than `retentionMs`; facts whose report is gone. */
export async function followNewReports(
  queryable: Queryable,
  options: { readonly retentionMs: number; readonly signal?: AbortSignal },
): Promise<number> {
  const records = await deleteInPortions(queryable, {
    // Both ends of the table are found in an index. An empty table means that everything was cleaned, but not a moment ago.
    where: `updated_at < greatest(
      (now() AT TIME ZONE 'UTC') - $1 * interval '1 millisecond',
      coalesce((SELECT min(n.updated_at) FROM new_reports n), (now() AT TIME ZONE 'UTC') - interval '1 hour'))`,
    values: [options.retentionMs],
    signal: options.signal,
  });
  return records + (await forgetFactsWithoutReport(queryable, options));
}

interface Deletion {
  readonly where: string;
  readonly values: readonly unknown[];
  readonly signal?: AbortSignal;
}

async function deleteInPortions(queryable: Queryable, deletion: Deletion): Promise<number> {
  let deleted = 0;
  while (deletion.signal?.aborted !== true) {
    const { rowCount } = await queryable.query(
      `DELETE FROM ${TABLE_STORED_MESSAGE} WHERE ctid = ANY(ARRAY(
         SELECT ctid FROM ${TABLE_STORED_MESSAGE} WHERE ${deletion.where} ORDER BY updated_at LIMIT ${maintenanceRowsMax}))`,
      deletion.values,
    );
    deleted += rowCount;
    if (rowCount < maintenanceRowsMax) break;
  }
  return deleted;
}
