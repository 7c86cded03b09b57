/**
 * The message bus on Apache Kafka: also what other systems connect to. What it promises is in `bus.ts`; each promise is kept in one file
 * (`partition-queue.ts` order and acks, `group-session.ts` and `commit-offsets.ts` groups, `fetcher.ts` reading). Built on the protocol
 * layer of @platformatic/kafka; why not on its clients is said at the top of `producer.ts` and `group-session.ts`, and in
 * docs/decisions/0005. Called by `open-bus.ts`.
 */
import type { Clock } from '../../clock/clock.ts';
import { createSilentTelemetry, type Telemetry } from '../../telemetry/telemetry.ts';
import type { Bus, Consumer, ConsumerOptions, Producer } from '../bus.ts';
import { closed } from '../bus-errors.ts';
import { deliveryMsDefault, recordBytesMaxDefault } from '../bus-options.ts';
import { KafkaAdmin } from './admin.ts';
import { KafkaCluster } from './cluster.ts';
import { KafkaConsumer } from './consumer.ts';
import { busSettingNames, type KafkaSecurity, type KafkaSettingNames } from './kafka-security.ts';
import { troubleMsMin } from './limits.ts';
import { KafkaProducer } from './producer.ts';

interface KafkaBusOptions {
  /** `host:port`; at least one of them has to answer, the others may be away or unresolvable. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly security: KafkaSecurity;
  readonly clock: Clock;
  readonly telemetry?: Telemetry;
  readonly sessionMs?: number;
  readonly deliveryMsMax?: number;
  readonly recordBytesMax?: number;
  readonly settingNames?: KafkaSettingNames;
  readonly mayMakeTopics?: boolean;
}

/** Opens nothing yet: brokers that are away are found out by `check()` and by each call, which try again by themselves. */
export function createKafkaBus(options: KafkaBusOptions): Bus {
  return new KafkaBus(options);
}

class KafkaBus implements Bus {
  readonly kind = 'kafka';
  readonly admin: KafkaAdmin;
  readonly #options: KafkaBusOptions;
  readonly #cluster: KafkaCluster;
  readonly #consumers = new Set<KafkaConsumer>();
  readonly #producers = new Map<KafkaProducer, KafkaCluster>();
  #closing: Promise<void> | undefined;

  constructor(options: KafkaBusOptions) {
    this.#options = options;
    this.#cluster = this.#newCluster();
    this.admin = new KafkaAdmin({
      cluster: this.#cluster,
      clock: options.clock,
      waitMsMax: troubleMsMin,
      isClosed: () => this.#closing !== undefined,
    });
  }

  async createProducer(): Promise<Producer> {
    if (this.#closing !== undefined) throw closed('bus');
    const { clock, recordBytesMax = recordBytesMaxDefault, deliveryMsMax = deliveryMsDefault } = this.#options;
    const cluster = this.#newCluster();
    const producer = new KafkaProducer({ cluster, clock, recordBytesMax, deliveryMsMax });
    this.#producers.set(producer, cluster);
    return {
      send: (records) => producer.send(records),
      close: () => this.#closeProducer(producer),
    };
  }

  async createConsumer(options: ConsumerOptions): Promise<Consumer> {
    if (this.#closing !== undefined) throw closed('bus');
    const { clock, telemetry = createSilentTelemetry('bus'), sessionMs } = this.#options;
    const consumer = new KafkaConsumer(options, {
      cluster: this.#newCluster(),
      clock,
      telemetry,
      sessionMs,
      onClosed: () => this.#consumers.delete(consumer),
    });
    this.#consumers.add(consumer);
    await consumer.start();
    return consumer;
  }

  async check(): Promise<void> {
    if (this.#closing !== undefined) throw closed('bus');
    await this.#cluster.nodes();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Consumers first, so that others get their partitions at once; producers finish what they were given. */
  async #close(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    await Promise.all([...this.#producers.keys()].map((producer) => this.#closeProducer(producer)));
    await this.#cluster.close();
  }

  async #closeProducer(producer: KafkaProducer): Promise<void> {
    await producer.close();
    await this.#producers.get(producer)?.close();
    this.#producers.delete(producer);
  }

  #newCluster(): KafkaCluster {
    const {
      brokers,
      clientId,
      security,
      clock,
      settingNames: names = busSettingNames,
      mayMakeTopics = false,
    } = this.#options;
    return new KafkaCluster({ brokers, clientId, security, clock, names, mayMakeTopics });
  }
}
