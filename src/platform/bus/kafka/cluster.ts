/**
 * The brokers as the adapter sees them: where they are, who leads which partition, and one way to ask any of them something. Everything in
 * the adapter that sends a request goes through here; repeating a failed one is the caller's decision (`limits.ts`).
 */
import type { API } from '@platformatic/kafka';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { within } from '../../clock/deadline.ts';
import { unreachable } from '../bus-errors.ts';
import type { KafkaBusSettings } from '../bus-options.ts';
import { BrokerConnections, type ConnectionsOptions, destroy, type Purpose } from './connections.ts';
import { groupFailed, mostTelling, topicFailed } from './kafka-errors.ts';
import { type BrokerAddress, parseBrokerAddress } from './kafka-security.ts';
import { requestMsMax, retryMsMax, retryUntil, unknownTopicMsMax } from './limits.ts';
import { answerOf, apis, codes, unsupportedApis } from './protocol.ts';

/** Leaders and partitions are asked again after this time, besides whenever a broker says that they changed. */
const metadataMsMax = 10_000;
/** And one that brokers make because it was asked for, for longer. */
const topicMadeMsMax = 3_000;

export interface TopicInfo {
  readonly name: string;
  /** Another one after the topic was deleted and made again. */
  readonly topicId: string;
  /** Indexed by partition; node id of its leader, -1 while it has none. */
  readonly partitions: readonly { readonly leader: number }[];
  readonly seenMs: number;
}

/** `mayMakeTopics`: whether `requireTopics` lets brokers make what is missing. */
type ClusterOptions = ConnectionsOptions & Pick<KafkaBusSettings, 'brokers' | 'mayMakeTopics'>;

interface TopicsOptions {
  /** Asks the brokers in any case. */
  readonly fresh?: boolean;
  /** Only where somebody is about to use them: a topic that was deleted is not made again by looking. */
  readonly mayMake?: boolean;
}

interface RequestLimits {
  readonly purpose?: Purpose;
  readonly timeoutMs?: number;
}

const groupCoordinator = 0;

export class KafkaCluster {
  readonly #options: ClusterOptions;
  readonly #connections: BrokerConnections;
  readonly #bootstrap: readonly BrokerAddress[];
  #nodes: ReadonlyMap<number, BrokerAddress> = new Map();
  readonly #topics = new Map<string, TopicInfo>();
  readonly #refreshing = new Map<string, Promise<ReadonlyMap<string, TopicInfo | CcxError>>>();
  #versionsChecked = false;
  /** Which address is asked first; moves on when one fails. */
  #turn = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#connections = new BrokerConnections(options);
    this.#bootstrap = options.brokers.map((broker) => parseBrokerAddress(broker, options.settingNames));
    if (this.#bootstrap.length === 0) {
      throw new CcxError('no Kafka broker is configured', {
        code: 'BUS_ADDRESS',
        category: 'configuration',
        hint: `set ${options.settingNames.brokers}`,
      });
    }
  }

  /** Asks one broker. Error codes inside the answer are the caller's; a failed connection is `BUS_UNREACHABLE`, `BUS_AUTH` or `BUS_TLS`. */
  async request<Arguments extends unknown[], Answer>(
    node: number,
    api: API<Arguments, Answer>,
    args: Arguments,
    limits: RequestLimits = {},
  ): Promise<Answer> {
    const address = this.#nodes.get(node);
    if (address === undefined) {
      throw unreachable(`the cluster knows no broker ${node} now`);
    }
    return await this.#requestAt(address, api, args, limits);
  }

  /** Asks whichever broker answers, known ones and those of the setting. */
  async requestAny<Arguments extends unknown[], Answer>(
    api: API<Arguments, Answer>,
    args: Arguments,
    limits: RequestLimits = {},
  ): Promise<Answer> {
    await this.#checkVersions();
    return await this.#tryEach((address) => this.#requestAt(address, api, args, limits));
  }

  /** Per name what is known, not older than `metadataMsMax`, or why the topic cannot be used. */
  async topics(
    names: readonly string[],
    options: TopicsOptions = {},
  ): Promise<ReadonlyMap<string, TopicInfo | CcxError>> {
    const oldest = this.#options.clock.monotonicMs() - metadataMsMax;
    const wanted = [...new Set(names)];
    const missing = wanted.filter((name) => {
      const known = this.#topics.get(name);
      return options.fresh === true || known === undefined || known.seenMs < oldest;
    });
    const asked = missing.length === 0 ? undefined : await this.#refresh(missing, options.mayMake === true);
    return new Map(wanted.map((name) => [name, asked?.get(name) ?? this.#topics.get(name) ?? topicFailed(-1, name)]));
  }

  /** One topic that must exist; throws why it cannot be used. */
  async topic(name: string): Promise<TopicInfo> {
    const topic = (await this.topics([name])).get(name)!;
    if (topic instanceof CcxError) throw topic;
    return topic;
  }

  /**
   * Topics that must exist, or that brokers make now where they may. Asked for until the deadline while brokers are away, and a moment
   * longer while one is merely unknown.
   */
  async requireTopics(names: readonly string[], deadlineMs: number): Promise<ReadonlyMap<string, TopicInfo>> {
    const { clock, mayMakeTopics: mayMake = false } = this.#options;
    const waitMsMax = mayMake ? topicMadeMsMax : unknownTopicMsMax;
    // A try of its own before the deadline, so that the answer is what it is.
    const unknownUntilMs = Math.min(clock.monotonicMs() + waitMsMax, deadlineMs - 2 * retryMsMax);
    return await retryUntil({ clock, deadlineMs }, async () => {
      const topics = new Map<string, TopicInfo>();
      for (const [name, topic] of await this.topics(names, { mayMake })) {
        if (!(topic instanceof CcxError)) topics.set(name, topic);
        else if (topic.code !== 'BUS_TOPIC_UNKNOWN' || clock.monotonicMs() >= unknownUntilMs) throw topic;
        // A topic that was just made may not have reached every broker.
        else throw new CcxError(topic.message, { ...topic, retryable: true, cause: topic });
      }
      return topics;
    });
  }

  /** A broker said that what we know of the topic is old. */
  forgetTopic(name: string): void {
    this.#topics.delete(name);
  }

  async listTopics(): Promise<readonly string[]> {
    const answer = await this.requestAny(apis.metadata, [null, false, false]);
    return answer.topics.flatMap((topic) => (topic.isInternal || topic.name == null ? [] : [topic.name])).sort();
  }

  /** Node id of the broker that keeps the group; throws retryable errors while there is none. */
  async coordinatorOf(groupId: string): Promise<number> {
    const answer = await this.requestAny(apis.findCoordinator, [groupCoordinator, [groupId]]);
    const found = answer.coordinators[0];
    if (found === undefined || found.errorCode !== codes.NONE) throw groupFailed(found?.errorCode ?? -1, groupId);
    // It may be a broker that no topic of ours has led us to.
    this.#nodes = new Map([...this.#nodes, [found.nodeId, { host: found.host, port: found.port }]]);
    return found.nodeId;
  }

  /** Every broker that the cluster has now. */
  async nodes(): Promise<readonly number[]> {
    await this.#refresh([], false);
    return [...this.#nodes.keys()];
  }

  async close(): Promise<void> {
    await this.#connections.close();
  }

  #refresh(names: readonly string[], mayMake: boolean): Promise<ReadonlyMap<string, TopicInfo | CcxError>> {
    const key = [mayMake, ...[...names].sort()].join(' ');
    const running = this.#refreshing.get(key);
    if (running !== undefined) return running;
    const refreshing = this.#askMetadata(names, mayMake).finally(() => this.#refreshing.delete(key));
    this.#refreshing.set(key, refreshing);
    return refreshing;
  }

  async #askMetadata(names: readonly string[], mayMake: boolean): Promise<ReadonlyMap<string, TopicInfo | CcxError>> {
    const answer = await this.requestAny(apis.metadata, [[...names], mayMake, false]);
    this.#nodes = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    const asked = new Map<string, TopicInfo | CcxError>();
    for (const topic of answer.topics) {
      const name = topic.name ?? '';
      if (topic.errorCode !== codes.NONE || topic.partitions.length === 0) {
        this.#topics.delete(name);
        asked.set(name, topicFailed(topic.errorCode, name));
        continue;
      }
      const partitions: { leader: number }[] = [];
      for (const partition of topic.partitions) partitions[partition.partitionIndex] = { leader: partition.leaderId };
      const info = { name, topicId: topic.topicId, partitions, seenMs: this.#options.clock.monotonicMs() };
      this.#topics.set(name, info);
      asked.set(name, info);
    }
    return asked;
  }

  async #checkVersions(): Promise<void> {
    if (this.#versionsChecked) return;
    const answer = await this.#tryEach((address) => this.#requestAt(address, apis.apiVersions, ['ccx', '1'], {}));
    const unsupported = unsupportedApis(answer.apiKeys);
    if (answer.errorCode === codes.UNSUPPORTED_VERSION || unsupported.length > 0) {
      throw new CcxError(`the Kafka brokers are too old: they lack ${unsupported.join(', ')}`, {
        code: 'BUS_BROKER_TOO_OLD',
        category: 'configuration',
        hint: 'use brokers of Kafka 3.1 or newer (tested with 3.3, 3.9 and 4.1)',
      });
    }
    this.#versionsChecked = true;
  }

  async #tryEach<Answer>(ask: (address: BrokerAddress) => Promise<Answer>): Promise<Answer> {
    const known = [...this.#nodes.values()];
    const isKnown = (address: BrokerAddress) =>
      known.some(({ host, port }) => host === address.host && port === address.port);
    const addresses = [...known, ...this.#bootstrap.filter((address) => !isKnown(address))];
    const failures: CcxError[] = [];
    for (let tried = 0; tried < addresses.length; tried += 1) {
      try {
        return await ask(addresses[(this.#turn + tried) % addresses.length]!);
      } catch (error) {
        if (!(error instanceof CcxError)) throw error;
        failures.push(error);
      }
    }
    this.#turn += 1;
    throw mostTelling(failures)!;
  }

  async #requestAt<Arguments extends unknown[], Answer>(
    address: BrokerAddress,
    api: API<Arguments, Answer>,
    args: Arguments,
    { purpose = 'control', timeoutMs = requestMsMax }: RequestLimits,
  ): Promise<Answer> {
    const { connection, release } = await this.#connections.acquire(address, purpose);
    try {
      return await within(api.async(connection, ...args), { clock: this.#options.clock, ms: timeoutMs }, () => {
        const { host, port } = address;
        throw unreachable(`no answer from ${host}:${port} within ${timeoutMs} ms`, 'check that broker');
      });
    } catch (error) {
      const answer = answerOf<Answer>(error);
      if (answer !== undefined) return answer;
      // Answers come in the order of requests: behind one that is lost nothing else would arrive in time.
      destroy(connection);
      throw this.#connections.failed(error, address, connection);
    } finally {
      release();
    }
  }
}
