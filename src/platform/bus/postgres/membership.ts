/**
 * Who belongs to a group of the embedded bus and who owns which partition, as rows: the SQL side of `consumer.ts`. Every change is made
 * under the lock of the group's row, and time is the database's, so members agree whatever their own clocks say.
 *
 * A partition changes hands in two steps, so that two live members never read it at once: its owner releases it when it sees that the
 * assignment gives it to somebody else, and only then the other takes it. A member whose lease ran out is put out of the group by whoever
 * looks next. Lock order everywhere in the bus: groups, topics, partitions, positions in order.
 */
import type { Connection, Database } from '../../database/database.ts';
import type { ConsumerOptions, TopicPartition } from '../bus.ts';
import { busChannel, groupHint } from './channel.ts';

/** A lease that ends later than this was given before the server's clock was set back: its member renews it now, or is dead. */
const leaseAheadMsMax = 15 * 60_000;

export interface Member {
  readonly groupId: string;
  readonly memberId: string;
  readonly topics: readonly string[];
  readonly leaseMs: number;
  readonly startAt: ConsumerOptions['startAt'];
}

export interface OwnedPartition extends TopicPartition {
  readonly topicId: bigint;
  /** Where its owner starts to read when it takes the partition over. */
  readonly position: bigint;
}

/** Makes the group if need be and enters it; the assignment comes with the next `synchronizeMember`. */
export async function joinGroup(database: Database, member: Member): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.query('INSERT INTO ccx.bus_groups (group_id) VALUES ($1) ON CONFLICT DO NOTHING', [member.groupId]);
    await tx.query('SELECT FROM ccx.bus_groups WHERE group_id = $1 FOR UPDATE', [member.groupId]);
    await tx.query(
      `INSERT INTO ccx.bus_members (member_id, group_id, topics, lease_until)
       VALUES ($1, $2, $3::text[], clock_timestamp() + $4 * interval '1 millisecond')`,
      [member.memberId, member.groupId, member.topics, member.leaseMs],
    );
    await advanceGeneration(tx, member.groupId);
  });
}

/** One statement, three times per lease. `changed` asks for `synchronizeMember`: the generation moved or somebody's lease ran out. */
export async function renewLease(
  database: Database,
  member: Member,
  knownGeneration: bigint | undefined,
): Promise<'stale' | 'changed' | 'unchanged'> {
  const { rows } = await database.query<{ generation: bigint; expired: boolean }>(
    `UPDATE ccx.bus_members m SET lease_until = clock_timestamp() + $3 * interval '1 millisecond'
     WHERE m.group_id = $1 AND m.member_id = $2 AND m.lease_until > clock_timestamp()
     RETURNING (SELECT generation FROM ccx.bus_groups g WHERE g.group_id = $1),
               EXISTS (SELECT FROM ccx.bus_members o WHERE o.group_id = $1 AND ${isOver('o.lease_until', 4)}) AS expired`,
    [member.groupId, member.memberId, member.leaseMs, leaseAheadMs(member)],
  );
  const row = rows[0];
  if (row === undefined) return 'stale';
  return row.expired || row.generation !== knownGeneration ? 'changed' : 'unchanged';
}

/**
 * Brings rows and member together: puts expired members out, releases what the assignment gives to others, takes what is free and
 * ours. `release` is called before the rows say so, and must stop handing records out at once. Undefined: the lease ran out, the member is
 * out of the group and joins again under a new id.
 */
export async function synchronizeMember(
  database: Database,
  member: Member,
  release: (partition: TopicPartition) => void,
) {
  return await database.transaction(async (tx) => {
    const { rows: groups } = await tx.query<{ began: boolean }>(
      'SELECT began FROM ccx.bus_groups WHERE group_id = $1 FOR UPDATE',
      [member.groupId],
    );
    const renewed = await tx.query(
      `UPDATE ccx.bus_members SET lease_until = clock_timestamp() + $3 * interval '1 millisecond'
       WHERE group_id = $1 AND member_id = $2 AND lease_until > clock_timestamp()`,
      [member.groupId, member.memberId, member.leaseMs],
    );
    if (renewed.rowCount === 0) return undefined;

    const expired = await tx.query(`DELETE FROM ccx.bus_members WHERE group_id = $1 AND ${isOver('lease_until', 2)}`, [
      member.groupId,
      leaseAheadMs(member),
    ]);
    const { rows: members } = await tx.query<AssignableMember>(
      'SELECT member_id AS "memberId", topics FROM ccx.bus_members WHERE group_id = $1 ORDER BY joined',
      [member.groupId],
    );
    const locked = await lockPositions(tx, member, members);
    const rows = groups[0]?.began === true ? locked : await beginGroup(tx, member, locked);
    const decided = decideChanges(member, members, rows);
    const changes = decided.filter(({ kind }) => kind !== 'keep');
    for (const { row } of changes.filter((change) => change.kind === 'release')) release(row);
    await storeChanges(tx, member, changes);

    // Taking a free partition concerns nobody else; everything else may give another member something to take.
    const changed = expired.rowCount > 0 || changes.some((change) => change.kind !== 'take');
    const generation = await (changed ? advanceGeneration(tx, member.groupId) : readGeneration(tx, member.groupId));
    const present = new Set(rows.map((row) => row.topic));
    return {
      generation,
      owned: decided
        .filter(({ kind }) => kind === 'keep' || kind === 'take')
        .map(({ row }): OwnedPartition => ({ ...row, position: startOf(row) })),
      missingTopics: member.topics.filter((topic) => !present.has(topic)),
    };
  });
}

/** Leaves in good order: the partitions are free at once and not only when the lease ends. */
export async function leaveGroup(database: Database, member: Member): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.query('SELECT FROM ccx.bus_groups WHERE group_id = $1 FOR UPDATE', [member.groupId]);
    await tx.query(
      `WITH locked AS (
         SELECT topic_id, partition FROM ccx.bus_positions WHERE group_id = $1 AND owner = $2
         ORDER BY topic_id, partition FOR UPDATE
       )
       UPDATE ccx.bus_positions p SET owner = NULL FROM locked l
       WHERE p.group_id = $1 AND p.topic_id = l.topic_id AND p.partition = l.partition`,
      [member.groupId, member.memberId],
    );
    await tx.query('DELETE FROM ccx.bus_members WHERE member_id = $1', [member.memberId]);
    await advanceGeneration(tx, member.groupId);
  });
}

/** Of a lease; also where it was given by a clock that was ahead. */
function isOver(column: string, parameter: number): string {
  return `(${column} <= clock_timestamp() OR ${column} > clock_timestamp() + $${parameter} * interval '1 millisecond')`;
}

function leaseAheadMs(member: Member): number {
  return Math.max(leaseAheadMsMax, member.leaseMs);
}

interface PositionRow extends TopicPartition {
  readonly topicId: bigint;
  readonly owner: string | null;
  readonly committed: bigint | null;
  readonly start: bigint;
  readonly end: bigint;
}

/** Every partition of the topics that anybody in the group reads, locked in order; rows that are missing are made. */
async function lockPositions(
  tx: Connection,
  member: Member,
  members: readonly AssignableMember[],
): Promise<readonly PositionRow[]> {
  const topics = [...new Set(members.flatMap((other) => other.topics))];
  await tx.query(
    `INSERT INTO ccx.bus_positions (group_id, topic_id, partition)
     SELECT $1, p.topic_id, p.partition FROM ccx.bus_topics t JOIN ccx.bus_partitions p USING (topic_id)
     WHERE t.name = ANY($2::text[])
     ORDER BY p.topic_id, p.partition
     ON CONFLICT DO NOTHING`,
    [member.groupId, topics],
  );
  const { rows } = await tx.query<PositionRow>(
    `SELECT g.topic_id AS "topicId", t.name AS topic, g.partition, g.owner, g.committed,
            p.start_offset AS start, p.next_offset AS "end"
     FROM ccx.bus_positions g
     JOIN ccx.bus_topics t ON t.topic_id = g.topic_id
     JOIN ccx.bus_partitions p ON p.topic_id = g.topic_id AND p.partition = g.partition
     WHERE g.group_id = $1 AND t.name = ANY($2::text[])
     ORDER BY g.topic_id, g.partition
     FOR UPDATE OF g`,
    [member.groupId, topics],
  );
  return rows;
}

/**
 * A group that starts at the newest record stores its positions when it begins, for every partition and whoever will read it: without
 * them, a restart before the first commit would start at newer ones and skip what came in between. From then on a partition without a
 * position is one that was not there, and is read from its beginning.
 */
async function beginGroup(
  tx: Connection,
  member: Member,
  rows: readonly PositionRow[],
): Promise<readonly PositionRow[]> {
  await tx.query('UPDATE ccx.bus_groups SET began = true WHERE group_id = $1', [member.groupId]);
  if (member.startAt === 'earliest') return rows;
  // An earlier release may be a member too: it commits, and does not say that the group has begun.
  const { rows: committed } = await tx.query(
    'SELECT FROM ccx.bus_positions WHERE group_id = $1 AND committed IS NOT NULL LIMIT 1',
    [member.groupId],
  );
  if (committed.length > 0 || rows.length === 0) return rows;
  const values = rows.map(({ topicId, partition, end }) => `(${topicId}, ${partition}, ${end}::bigint)`);
  await tx.query(
    `UPDATE ccx.bus_positions p SET committed = v.committed
     FROM (VALUES ${values.join(', ')}) AS v (topic_id, partition, committed)
     WHERE p.group_id = $1 AND p.topic_id = v.topic_id AND p.partition = v.partition`,
    [member.groupId],
  );
  return rows.map((row) => ({ ...row, committed: row.end }));
}

interface Change {
  readonly kind: 'keep' | 'release' | 'free' | 'take';
  readonly row: PositionRow;
}

function decideChanges(
  member: Member,
  members: readonly AssignableMember[],
  rows: readonly PositionRow[],
): readonly Change[] {
  const partitionCounts = new Map<string, number>();
  for (const row of rows) partitionCounts.set(row.topic, (partitionCounts.get(row.topic) ?? 0) + 1);
  const assigned = assignPartitions(members, partitionCounts);
  const alive = new Set(members.map((other) => other.memberId));
  return rows.flatMap((row): Change[] => {
    const target = assigned.get(`${row.topic}/${row.partition}`);
    const orphaned = row.owner !== null && !alive.has(row.owner);
    if (row.owner === member.memberId) return [{ kind: target === member.memberId ? 'keep' : 'release', row }];
    if (target === member.memberId) return row.owner === null || orphaned ? [{ kind: 'take', row }] : [];
    return orphaned ? [{ kind: 'free', row }] : [];
  });
}

/** Where to read on. A position that retention has passed moves up to the oldest record; one past the end (a restored backup) hides nothing. */
function startOf({ committed, start, end }: PositionRow): bigint {
  return committed === null || committed < start || committed > end ? start : committed;
}

async function storeChanges(tx: Connection, member: Member, changes: readonly Change[]): Promise<void> {
  if (changes.length === 0) return;
  const values = changes.map((change) => {
    const { topicId, partition } = change.row;
    return `(${topicId}, ${partition}, ${change.kind === 'take' ? '$2' : 'NULL'}::uuid)`;
  });
  // The rows are locked already, so their order here does not matter. $2 must be mentioned even if nothing is taken.
  await tx.query(
    `UPDATE ccx.bus_positions p SET owner = v.owner
     FROM (VALUES ${values.join(', ')}) AS v (topic_id, partition, owner)
     WHERE p.group_id = $1 AND p.topic_id = v.topic_id AND p.partition = v.partition AND $2::uuid IS NOT NULL`,
    [member.groupId, member.memberId],
  );
}

async function advanceGeneration(tx: Connection, groupId: string): Promise<bigint> {
  const { rows } = await tx.query<{ generation: bigint }>(
    `UPDATE ccx.bus_groups SET generation = generation + 1 WHERE group_id = $1
     RETURNING generation, pg_notify('${busChannel}', $2)`,
    [groupId, groupHint(groupId)],
  );
  return rows[0]!.generation;
}

async function readGeneration(tx: Connection, groupId: string): Promise<bigint> {
  const { rows } = await tx.query<{ generation: bigint }>('SELECT generation FROM ccx.bus_groups WHERE group_id = $1', [
    groupId,
  ]);
  return rows[0]!.generation;
}

/**
 * Who reads what in a group of the embedded bus. Every member computes the whole table from the same rows under the group's lock, so
 * nobody has to be told; it is pure and deterministic.
 */
type AssignableMember = Pick<Member, 'memberId' | 'topics'>;

/**
 * Each partition goes to the subscribed member that has the fewest so far, in a tie to the one that joined first (`members` come in that
 * order). `partitionCounts` is by topic. The result maps `<topic>/<partition>` to a member; a topic that nobody subscribes to is not in it.
 */
export function assignPartitions(
  members: readonly AssignableMember[],
  partitionCounts: ReadonlyMap<string, number>,
): ReadonlyMap<string, string> {
  const assigned = new Map<string, string>();
  const counts = new Map(members.map((member) => [member.memberId, 0]));
  for (const [topic, partitions] of [...partitionCounts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const eligible = members.filter(({ topics }) => topics.includes(topic));
    for (let partition = 0; partition < partitions; partition += 1) {
      let best: string | undefined;
      for (const { memberId } of eligible) {
        if (best === undefined || counts.get(memberId)! < counts.get(best)!) best = memberId;
      }
      if (best === undefined) break;
      counts.set(best, counts.get(best)! + 1);
      assigned.set(`${topic}/${partition}`, best);
    }
  }
  return assigned;
}
