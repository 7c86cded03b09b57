/**
 * Where partitions begin and end, and what a group has committed. Read by consumers when they take partitions over and by the admin side
 * for lag; one try each, so callers repeat.
 */

import { FetchIsolationLevels } from '@platformatic/kafka';
import type { TopicPartition } from '../bus.ts';
import { partitionKey } from '../bus.ts';
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
  const byLeader = new Map<number, TopicPartition[]>();
  for (const partition of partitions) {
    const topic = topics.get(partition.topic)!;
    if (topic instanceof Error) throw topic;
    const leader = topic.partitions[partition.partition]?.leader ?? -1;
    byLeader.set(leader, [...(byLeader.get(leader) ?? []), partition]);
  }
  const offsets = new Map<string, bigint>();
  await Promise.all(
    [...byLeader].map(async ([leader, led]) => {
      const request = groupByTopic(led).map(([name, indexes]) => ({
        name,
        partitions: indexes.map((partitionIndex) => ({
          partitionIndex,
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

/** What the group committed; partitions without a position are not in the answer. Undefined: of all topics that it ever read. */
export async function readCommitted(
  cluster: KafkaCluster,
  coordinator: number,
  groupId: string,
  partitions: readonly TopicPartition[] | undefined,
): Promise<OffsetsByPartition> {
  const topics =
    partitions === undefined
      ? // The library's type has no "all"; its encoder does.
        (null as unknown as [])
      : groupByTopic(partitions).map(([name, partitionIndexes]) => ({ name, partitionIndexes }));
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

function groupByTopic(partitions: readonly TopicPartition[]): [string, number[]][] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  return [...topics];
}
