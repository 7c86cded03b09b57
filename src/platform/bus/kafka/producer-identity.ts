/**
 * The producer id that makes repeated tries of a batch count once. One per producer; a queue that finds it unusable asks for a new one,
 * and the others change over with their next batch.
 */
import { unreachable } from '../bus-errors.ts';
import type { KafkaCluster } from './cluster.ts';
import { NONE } from './kafka-codes.ts';
import { clusterFailed } from './kafka-errors.ts';
import { apis } from './protocol.ts';

export interface ProducerId {
  readonly id: bigint;
  readonly epoch: number;
}

/** Only transactions use the timeout; the broker wants one anyway. */
const transactionTimeoutMs = 60_000;

export class ProducerIdentity {
  readonly #cluster: KafkaCluster;
  #current: Promise<ProducerId> | undefined;

  constructor(cluster: KafkaCluster) {
    this.#cluster = cluster;
  }

  /** One try; a failed one is not remembered. */
  current(): Promise<ProducerId> {
    if (this.#current === undefined) {
      const asking = this.#ask();
      this.#current = asking;
      asking.catch(() => {
        if (this.#current === asking) this.#current = undefined;
      });
    }
    return this.#current;
  }

  /** The next `current` asks for a new id, unless somebody else has seen to that already. */
  async discard(unusable: ProducerId): Promise<void> {
    const current = await this.#current?.catch(() => undefined);
    if (current === unusable) this.#current = undefined;
  }

  async #ask(): Promise<ProducerId> {
    const answer = await this.#cluster.requestAny(apis.initProducerId, [null, transactionTimeoutMs, -1n, -1]);
    if (answer.errorCode !== NONE) throw clusterFailed(answer.errorCode, 'produce idempotently');
    if (answer.producerId < 0n) throw unreachable('Kafka gave no producer id', undefined, 'check the brokers');
    return { id: answer.producerId, epoch: answer.producerEpoch };
  }
}
