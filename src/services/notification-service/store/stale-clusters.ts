/**
 * Clusters that have stopped reporting: each becomes stale once, and its issues stay as they were, because nothing says otherwise. Its next
 * report brings it back (`issues.ts`, and the notification writer). Called by runs that look at all clusters.
 */
import { TABLE_CLUSTERS, TABLE_NEW_REPORTS } from '../../../contracts/tables.ts';
import { recordIssueEvents } from '../../../platform/records/issue-events.ts';
import { timestampText } from '../timestamps.ts';
import { type StoreAccess, transact } from './transact.ts';

/** Rows that one transaction marks: the first run on an old database meets all that ever stopped. */
const markedAtOnceMax = 1_000;

interface StaleCluster {
  readonly orgId: number;
  readonly cluster: string;
  readonly name: string | null;
  readonly lastReportAt: string;
}

/**
 * Answers those that became stale now. A row that somebody writes at this moment is left out: it reports. So is a cluster whose newer
 * reports cannot be read, because those are not compared.
 */
export async function markStaleClusters(store: StoreAccess, staleAfterMicros: bigint): Promise<StaleCluster[]> {
  const marked: StaleCluster[] = [];
  for (;;) {
    const rows = await markSome(store, staleAfterMicros);
    marked.push(...rows);
    if (rows.length < markedAtOnceMax) return marked;
  }
}

async function markSome(store: StoreAccess, staleAfterMicros: bigint): Promise<StaleCluster[]> {
  const nowMicros = store.nowMicros();
  const now = timestampText(nowMicros);
  return transact(store, async (tx) => {
    const { rows } = await tx.query<StaleCluster>(
      `WITH silent AS (
         SELECT c.org_id, c.cluster FROM ${TABLE_CLUSTERS} AS c
          WHERE c.state = 'reporting' AND c.last_report_at < $1::timestamp
            AND NOT EXISTS (SELECT FROM ${TABLE_NEW_REPORTS} AS n
                             WHERE n.org_id = c.org_id AND n.cluster = c.cluster AND n.updated_at >= $1::timestamp)
          LIMIT ${markedAtOnceMax} FOR UPDATE SKIP LOCKED)
       UPDATE ${TABLE_CLUSTERS} AS c SET state = 'stale', state_since = $2::timestamp
         FROM silent AS s WHERE c.org_id = s.org_id AND c.cluster = s.cluster
       RETURNING c.org_id AS "orgId", rtrim(c.cluster) AS cluster, c.name, c.last_report_at AS "lastReportAt"`,
      [timestampText(nowMicros - staleAfterMicros), now],
    );
    await recordIssueEvents(
      tx,
      rows.map(({ orgId, cluster }) => ({ at: now, orgId, cluster, event: 'stale' })),
    );
    return rows;
  });
}
