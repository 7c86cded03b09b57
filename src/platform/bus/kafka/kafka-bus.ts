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
import { deliveryMsDefault, type KafkaBusSettings, recordBytesMaxDefault } from '../bus-options.ts';
import { KafkaAdmin } from './admin.ts';
import { KafkaCluster } from './cluster.ts';
import { KafkaConsumer } from './consumer.ts';
import { busSettingNames, type KafkaSettingNames } from './kafka-security.ts';
import { KafkaProducer } from './producer.ts';

type KafkaBusOptions = Omit<KafkaBusSettings, 'kind'> & { readonly clock: Clock; readonly telemetry?: Telemetry };

/** Opens nothing yet: brokers that are away are found out by `check()` and by each call, which try again by themselves. */
export function createKafkaBus(options: KafkaBusOptions): Bus {
  return new KafkaBus(options);
}

class KafkaBus implements Bus {
  readonly kind = 'kafka';
  readonly admin: KafkaAdmin;
  readonly #options: KafkaBusOptions & { readonly settingNames: KafkaSettingNames };
  readonly #cluster: KafkaCluster;
  readonly #consumers = new Set<KafkaConsumer>();
  readonly #producers = new Set<KafkaProducer>();
  #closing: Promise<void> | undefined;

  constructor(options: KafkaBusOptions) {
    this.#options = { settingNames: busSettingNames, ...options };
    this.#cluster = new KafkaCluster(this.#options);
    this.admin = new KafkaAdmin({
      cluster: this.#cluster,
      clock: options.clock,
      isClosed: () => this.#closing !== undefined,
    });
  }

  async createProducer(): Promise<Producer> {
    if (this.#closing !== undefined) throw closed('bus');
    const { clock, recordBytesMax = recordBytesMaxDefault, deliveryMsMax = deliveryMsDefault } = this.#options;
    const producer: KafkaProducer = new KafkaProducer({
      cluster: new KafkaCluster(this.#options),
      clock,
      recordBytesMax,
      deliveryMsMax,
      onClosed: () => this.#producers.delete(producer),
    });
    this.#producers.add(producer);
    return producer;
  }

  async createConsumer(options: ConsumerOptions): Promise<Consumer> {
    if (this.#closing !== undefined) throw closed('bus');
    const { clock, telemetry = createSilentTelemetry('bus'), sessionMs } = this.#options;
    const consumer = new KafkaConsumer(options, {
      cluster: new KafkaCluster(this.#options),
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
    await Promise.all([...this.#producers].map((producer) => producer.close()));
    await this.#cluster.close();
  }
}
