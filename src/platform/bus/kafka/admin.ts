/** Topics, positions and plain reads on Kafka. Reads and questions are tried again for a while; changes are made once. */

import { ConfigResourceTypes } from '@platformatic/kafka';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../clock/clock.ts';
import type { BusAdmin, BusRecord, PartitionLag, Position, TopicSpec } from '../bus.ts';
import { partitionKey } from '../bus.ts';
import { closed, invalid, unreachable } from '../bus-errors.ts';
import { readBytesMax, readRecordsMax } from '../bus-options.ts';
import type { KafkaCluster, TopicInfo } from './cluster.ts';
import { requestRecords } from './fetcher.ts';
import { clusterFailed, topicFailed } from './kafka-errors.ts';
import {
  answerMarginMs,
  fetchPartitionBytesMax,
  fetchWaitMs,
  requestMsMax,
  retryUntil,
  troubleMsMin,
} from './limits.ts';
import { groupPositions, listOffsets } from './offsets.ts';
import { apis, codes } from './protocol.ts';
import { readableRecords } from './readable-records.ts';

/** A topic that was made is waited for until its partitions have leaders. */
const topicReadyMsMax = 30_000;

interface KafkaAdminDependencies {
  readonly cluster: KafkaCluster;
  readonly clock: Clock;
  readonly isClosed: () => boolean;
}

export class KafkaAdmin implements BusAdmin {
  readonly #dependencies: KafkaAdminDependencies;

  constructor(dependencies: KafkaAdminDependencies) {
    this.#dependencies = dependencies;
  }

  async ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    const { cluster } = this.#dependencies;
    if (specs.length === 0) return;
    const known = await this.#ask(() =>
      cluster.topics(
        specs.map(({ name }) => name),
        { fresh: true },
      ),
    );
    const missing: TopicSpec[] = [];
    for (const spec of specs) {
      const topic = known.get(spec.name)!;
      if (!(topic instanceof CcxError)) continue;
      if (topic.code !== 'BUS_TOPIC_UNKNOWN') throw topic;
      missing.push(spec);
    }
    if (missing.length === 0) return;
    const answer = await this.#ask(() =>
      cluster.requestAny(apis.createTopics, [missing.map(newTopic), requestMsMax, false], {
        timeoutMs: requestMsMax + answerMarginMs,
      }),
    );
    for (const { name, errorCode, errorMessage } of answer.topics) {
      // Another process was faster.
      if (errorCode === codes.NONE || errorCode === codes.TOPIC_ALREADY_EXISTS) continue;
      if (errorCode === codes.INVALID_TOPIC || errorCode === codes.INVALID_PARTITIONS) {
        throw invalid(`Kafka does not make topic ${name}: ${errorMessage ?? 'its name or number of partitions'}`);
      }
      throw clusterFailed(errorCode, `create topic ${name}`);
    }
    await this.#waitUntilReady(missing.map(({ name }) => name));
  }

  async deleteTopic(name: string): Promise<void> {
    const { cluster } = this.#dependencies;
    const answer = await this.#ask(() =>
      cluster.requestAny(apis.deleteTopics, [[{ name, topicId: nobodysTopicId }], requestMsMax], {
        timeoutMs: requestMsMax + answerMarginMs,
      }),
    );
    const code = answer.responses[0]?.errorCode ?? -1;
    cluster.forgetTopic(name);
    if (code === codes.TOPIC_AUTHORIZATION_FAILED) throw clusterFailed(code, `delete topic ${name}`);
    if (code !== codes.NONE) throw topicFailed(code, name);
    await this.#waitFor(`topic ${name} to be gone`, async () => {
      const topic = (await cluster.topics([name], { fresh: true })).get(name);
      return topic instanceof CcxError && !topic.retryable;
    });
  }

  async listTopics(): Promise<readonly string[]> {
    return await this.#ask(() => this.#dependencies.cluster.listTopics());
  }

  async retentionMs(topic: string): Promise<number> {
    const { cluster } = this.#dependencies;
    return await this.#ask(async () => {
      const resource = { resourceType: topicResource, resourceName: topic, configurationKeys: ['retention.ms'] };
      const answer = await cluster.requestAny(apis.describeConfigs, [[resource], false, false]);
      const [result] = answer.results;
      const code = result?.errorCode ?? -1;
      if (code === codes.TOPIC_AUTHORIZATION_FAILED) throw clusterFailed(code, `describe topic ${topic}`);
      if (code !== codes.NONE) throw topicFailed(code, topic);
      const ms = Number(result?.configs.find(({ name }) => name === 'retention.ms')?.value);
      return ms >= 0 ? ms : Number.POSITIVE_INFINITY;
    });
  }

  async lag(groupId: string, topicNames: readonly string[]): Promise<readonly PartitionLag[]> {
    const { cluster } = this.#dependencies;
    return await this.#ask(async () => {
      const topics = await this.#existing(topicNames);
      const partitions = topics.flatMap(({ name: topic, partitions: all }) =>
        all.map((_, partition) => ({ topic, partition })),
      );
      const places = await groupPositions(cluster, groupId, partitions);
      return partitions.map((partition, index) => ({ ...partition, ...places[index]! }));
    });
  }

  async read(from: Position, recordsMax: number): Promise<readonly BusRecord[]> {
    const { cluster } = this.#dependencies;
    const { partitions } = await this.#ask(async () => (await this.#existing([from.topic]))[0]!);
    if (from.partition < 0 || from.partition >= partitions.length) {
      throw invalid(`topic ${from.topic} has partitions 0 to ${partitions.length - 1}, not ${from.partition}`);
    }
    const [start, end] = await this.#ask(async () => [
      (await listOffsets(cluster, [from], 'earliest')).get(partitionKey(from))!,
      (await listOffsets(cluster, [from], 'latest')).get(partitionKey(from))!,
    ]);
    const records: BusRecord[] = [];
    const wanted = Math.min(recordsMax, readRecordsMax);
    let bytesLeft = readBytesMax;
    let next = from.offset > start! ? from.offset : start!;
    while (records.length < wanted && next < end! && bytesLeft > 0) {
      const page = await this.#ask(() => this.#readPage(from, next));
      for (const record of page.records.slice(0, wanted - records.length)) records.push(record);
      bytesLeft -= page.bytes;
      next = page.next;
    }
    return records;
  }

  async #readPage({ topic: name, partition }: Position, offset: bigint) {
    const { cluster } = this.#dependencies;
    const topic = await cluster.topic(name);
    const answer = await requestRecords(
      cluster,
      topic.partitions[partition]?.leader ?? -1,
      [{ topic: name, partition, offset, topicId: topic.topicId, bytesMax: fetchPartitionBytesMax }],
      { purpose: 'control', waitMs: fetchWaitMs },
    );
    const fetched = answer.responses[0]?.partitions[0];
    const code = answer.errorCode === codes.NONE ? (fetched?.errorCode ?? -1) : answer.errorCode;
    if (code !== codes.NONE) {
      cluster.forgetTopic(name);
      throw code === codes.UNKNOWN_TOPIC_ID ? unreachable(`topic ${name} changed`, '') : topicFailed(code, name);
    }
    return readableRecords({ topic: name, partition }, fetched!, offset);
  }

  async #existing(names: readonly string[]): Promise<readonly TopicInfo[]> {
    const { cluster, clock } = this.#dependencies;
    for (const name of names) cluster.forgetTopic(name);
    const topics = await cluster.requireTopics(names, clock.monotonicMs() + troubleMsMin);
    return names.map((name) => topics.get(name)!);
  }

  /** Until every broker that may be asked knows the topics, and every partition has a leader. */
  async #waitUntilReady(names: readonly string[]): Promise<void> {
    const { cluster } = this.#dependencies;
    await this.#waitFor(`topics ${names.join(', ')} to have leaders`, async () => {
      for (const node of await cluster.nodes()) {
        const answer = await cluster.request(node, apis.metadata, [[...names], false, false]);
        const ready = answer.topics.every(
          (topic) => topic.errorCode === codes.NONE && topic.partitions.every((partition) => partition.leaderId >= 0),
        );
        if (!ready) return false;
      }
      return true;
    });
  }

  async #waitFor(what: string, condition: () => Promise<boolean>): Promise<void> {
    const { clock } = this.#dependencies;
    await retryUntil({ clock, deadlineMs: clock.monotonicMs() + topicReadyMsMax }, async () => {
      if (!(await condition())) throw unreachable(`waited in vain for ${what}`);
    });
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    const { clock, isClosed } = this.#dependencies;
    if (isClosed()) throw closed('bus');
    return await retryUntil({ clock, deadlineMs: clock.monotonicMs() + troubleMsMin }, question);
  }
}

/** The kind of what a configuration is asked of. */
const topicResource = ConfigResourceTypes.TOPIC;
/** What a request says that names a topic instead. */
const nobodysTopicId = '00000000-0000-0000-0000-000000000000';
/** The brokers' own defaults for replicas. */
const brokersDefault = -1;

function newTopic({ name, partitions, retentionMs, retentionBytes }: TopicSpec) {
  const configs = [];
  if (retentionMs !== undefined) configs.push({ name: 'retention.ms', value: String(retentionMs) });
  if (retentionBytes !== undefined) {
    // Kafka counts per partition, we per topic.
    configs.push({ name: 'retention.bytes', value: String(Math.ceil(retentionBytes / partitions)) });
  }
  return { name, numPartitions: partitions, replicationFactor: brokersDefault, assignments: [], configs };
}
