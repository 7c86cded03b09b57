/**
 * The writer's record of what it stored, and the facts of each report, follow `new_reports`: both are cleaned with it, and what somebody
 * else cleaned is followed after a while. Old rows of the audit go with them. Called by the service every few minutes and by the commands that clean. What goes too late does
 * no harm, because it counts only while its report is there (`store.ts`).
 */
import { TABLE_STORED_MESSAGE } from '../../contracts/tables.ts';
import type { Queryable } from '../../platform/database/database.ts';
import { deleteOldest } from '../../platform/database/delete-oldest.ts';
import { pruneAudit } from '../../platform/records/audit.ts';
import { forgetFactsWithoutReport } from '../../platform/records/report-facts.ts';

const storedMessages = { table: TABLE_STORED_MESSAGE, age: 'updated_at' } as const;

/** Records older than an age, as PostgreSQL reads intervals (`7 days`): the rule of `--new-reports-cleanup`. Resolves to how many went. */
export function cleanStoredMessages(queryable: Queryable, maxAge: string): Promise<number> {
  return deleteOldest(queryable, {
    ...storedMessages,
    where: `updated_at < (now() AT TIME ZONE 'UTC') - $1::interval`,
    values: [maxAge],
  });
}

/** Records that are older than the oldest report, and all that are older than `retentionMs`; facts whose report is gone. */
export async function followNewReports(
  queryable: Queryable,
  options: { readonly retentionMs: number; readonly signal?: AbortSignal },
): Promise<number> {
  const records = await deleteOldest(queryable, {
    ...storedMessages,
    // Both ends of the table are found in an index. An empty table means that everything was cleaned, but not a moment ago.
    where: `updated_at < greatest(
      (now() AT TIME ZONE 'UTC') - $1 * interval '1 millisecond',
      coalesce((SELECT min(n.updated_at) FROM new_reports n), (now() AT TIME ZONE 'UTC') - interval '1 hour'))`,
    values: [options.retentionMs],
    signal: options.signal,
  });
  const facts = await forgetFactsWithoutReport(queryable, options);
  return records + facts + (await pruneAudit(queryable, options));
}
