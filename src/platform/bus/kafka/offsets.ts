/**
 * Where partitions begin and end, and what a group has committed. Read by consumers when they take partitions over and by the admin side
 * for lag; one try each, so callers repeat.
 */

import { FetchIsolationLevels } from '@platformatic/kafka';
import type { TopicPartition } from '../bus.ts';
import { byTopic, partitionKey } from '../bus.ts';
import type { KafkaCluster } from './cluster.ts';
import { groupFailed, topicFailed } from './kafka-errors.ts';
import { apis, codes } from './protocol.ts';

type OffsetsByPartition = ReadonlyMap<string, bigint>;

const timestamps = { earliest: -2n, latest: -1n } as const;

/** For every partition asked for. `latest` is the end of what a reader of committed records may see. */
export async function listOffsets(
  cluster: KafkaCluster,
  partitions: readonly TopicPartition[],
  which: keyof typeof timestamps,
): Promise<OffsetsByPartition> {
  const topics = await cluster.topics(partitions.map(({ topic }) => topic));
  const byLeader = Map.groupBy(partitions, ({ topic: name, partition }) => {
    const topic = topics.get(name)!;
    if (topic instanceof Error) throw topic;
    return topic.partitions[partition]?.leader ?? -1;
  });
  const offsets = new Map<string, bigint>();
  await Promise.all(
    [...byLeader].map(async ([leader, led]) => {
      const request = [...byTopic(led)].map(([name, ofTopic]) => ({
        name,
        partitions: ofTopic.map(({ partition }) => ({
          partitionIndex: partition,
          currentLeaderEpoch: -1,
          timestamp: timestamps[which],
        })),
      }));
      try {
        const answer = await cluster.request(leader, apis.listOffsets, [
          -1,
          FetchIsolationLevels.READ_COMMITTED,
          request,
        ]);
        for (const { name: topic, partitions: answers } of answer.topics) {
          for (const { partitionIndex: partition, errorCode, offset } of answers) {
            if (errorCode !== codes.NONE) throw topicFailed(errorCode, topic);
            offsets.set(partitionKey({ topic, partition }), offset);
          }
        }
      } catch (error) {
        for (const { topic } of led) cluster.forgetTopic(topic);
        throw error;
      }
    }),
  );
  return offsets;
}

/** Per partition, in the order asked for: where it begins and ends, and what the group committed of it. */
export async function groupPositions(cluster: KafkaCluster, groupId: string, partitions: readonly TopicPartition[]) {
  const [committed, starts, ends] = await Promise.all([
    readCommitted(cluster, groupId, partitions),
    listOffsets(cluster, partitions, 'earliest'),
    listOffsets(cluster, partitions, 'latest'),
  ]);
  return partitions.map(partitionKey).map((key) => ({
    committed: committed.get(key) ?? null,
    start: starts.get(key)!,
    end: ends.get(key)!,
  }));
}

/** What the group committed; partitions without a position are not in the answer. Undefined: of all topics that it ever read. */
export async function readCommitted(
  cluster: KafkaCluster,
  groupId: string,
  partitions: readonly TopicPartition[] | undefined,
): Promise<OffsetsByPartition> {
  const topics =
    partitions === undefined
      ? // The library's type has no "all"; its encoder does.
        (null as unknown as [])
      : [...byTopic(partitions)].map(([name, ofTopic]) => ({
          name,
          partitionIndexes: ofTopic.map(({ partition }) => partition),
        }));
  const coordinator = await cluster.coordinatorOf(groupId);
  // Stable: a position that a transaction is about to change is waited for.
  const answer = await cluster.request(coordinator, apis.offsetFetch, [
    [{ groupId, memberId: null, memberEpoch: -1, topics }],
    true,
  ]);
  const group = answer.groups[0];
  if (group === undefined || group.errorCode !== codes.NONE) throw groupFailed(group?.errorCode ?? -1, groupId);
  const committed = new Map<string, bigint>();
  for (const { name: topic, partitions: answers } of group.topics) {
    for (const { partitionIndex: partition, errorCode, committedOffset } of answers) {
      if (errorCode !== codes.NONE) throw topicFailed(errorCode, topic);
      if (committedOffset >= 0n) committed.set(partitionKey({ topic, partition }), committedOffset);
    }
  }
  return committed;
}
