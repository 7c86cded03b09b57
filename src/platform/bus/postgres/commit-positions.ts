/**
 * Stores positions of a group, for those partitions only that the member still owns under a living lease. Called by `consumer.ts`.
 */
import type { Queryable } from '../../database/database.ts';

export interface PositionToStore {
  readonly topicId: bigint;
  readonly partition: number;
  readonly offset: bigint;
}

/**
 * Answers with the stored ones as `<topicId>/<partition>`; what is missing there has another owner. The check and the write are one
 * statement on locked rows: a partition that changes hands meanwhile is either stored before its new owner looks, or not at all.
 */
export async function commitPositions(
  database: Queryable,
  member: { readonly groupId: string; readonly memberId: string },
  positions: readonly PositionToStore[],
): Promise<ReadonlySet<string>> {
  const values = positions.map(({ topicId, partition, offset }) => `(${topicId}, ${partition}, ${offset}::bigint)`);
  const { rows } = await database.query<{ topic_id: bigint; partition: number }>(
    `WITH wanted (topic_id, partition, committed) AS (VALUES ${values.join(', ')}),
     locked AS (
       SELECT p.topic_id, p.partition, w.committed
       FROM ccx.bus_positions p JOIN wanted w ON p.topic_id = w.topic_id AND p.partition = w.partition
       WHERE p.group_id = $1 AND p.owner = $2
         AND EXISTS (SELECT FROM ccx.bus_members m WHERE m.member_id = $2 AND m.lease_until > clock_timestamp())
       ORDER BY p.topic_id, p.partition
       FOR UPDATE OF p
     )
     UPDATE ccx.bus_positions p SET committed = l.committed
     FROM locked l
     WHERE p.group_id = $1 AND p.topic_id = l.topic_id AND p.partition = l.partition
     RETURNING p.topic_id, p.partition`,
    [member.groupId, member.memberId],
  );
  return new Set(rows.map((row) => `${row.topic_id}/${row.partition}`));
}
