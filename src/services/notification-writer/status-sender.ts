/**
 * Tells the payload tracker what was done with a request id. Status messages are told, not promised: they wait in a bounded list, go out
 * in batches in the order of telling, and never hold up or fail the storing of reports. Used by the service's events.
 * Source: notification-writer.md 3.5.
 */
import { errorCode } from '../../contracts/ccx-error.ts';
import { type PayloadStatus, serializePayloadStatus } from '../../contracts/payload-status.ts';
import { formatRfc3339 } from '../../contracts/rfc3339.ts';
import type { Producer } from '../../platform/bus/bus.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { backoffMs } from '../../platform/lifecycle/backoff.ts';
import { statusBatchMax, statusesQueuedMax, statusRetryMsMax, statusRetryMsMin } from './limits.ts';

export interface StatusSenderOptions {
  readonly sender: Pick<Producer, 'send'>;
  /** Empty: no status is sent. */
  readonly topic: string;
  /** Field `service` of the messages. */
  readonly serviceName: string;
  readonly clock: Clock;
  readonly onDropped: (count: number, code: string) => void;
}

const retryBounds = { msMin: statusRetryMsMin, msMax: statusRetryMsMax };

export class StatusSender {
  readonly #options: StatusSenderOptions;
  readonly #waiting: string[] = [];
  readonly #stopping = new AbortController();
  #sending: Promise<void> | undefined;

  constructor(options: StatusSenderOptions) {
    this.#options = options;
  }

  /** Nothing is told of a message without a request id. */
  tell(requestId: string, status: PayloadStatus, atMicros: bigint): void {
    const { topic, serviceName } = this.#options;
    if (topic === '' || requestId === '' || this.#stopping.signal.aborted) return;
    const date = formatRfc3339(atMicros);
    this.#waiting.push(serializePayloadStatus({ service: serviceName, request_id: requestId, status, date }));
    if (this.#waiting.length > statusesQueuedMax)
      this.#drop(this.#waiting.length - statusesQueuedMax, 'STATUS_QUEUE_FULL');
    this.#sending ??= this.#sendAll();
  }

  /** True when nothing waits. */
  idle(): boolean {
    return this.#waiting.length === 0 && this.#sending === undefined;
  }

  /** Tries once to send what still waits, and takes nothing more. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#sending;
    try {
      while (this.#waiting.length > 0) await this.#sendBatch();
    } catch (error) {
      this.#drop(this.#waiting.length, errorCode(error));
    }
  }

  async #sendAll(): Promise<void> {
    // What is told in the same turn goes out in the same batch.
    await Promise.resolve();
    const { clock } = this.#options;
    let failures = 0;
    while (this.#waiting.length > 0 && !this.#stopping.signal.aborted) {
      try {
        await this.#sendBatch();
        failures = 0;
      } catch {
        failures += 1;
        await clock
          .sleep(backoffMs(retryBounds, failures, clock.random()), this.#stopping.signal)
          .catch(() => undefined);
      }
    }
    this.#sending = undefined;
  }

  async #sendBatch(): Promise<void> {
    const { sender, topic } = this.#options;
    const batch = this.#waiting.splice(0, statusBatchMax);
    try {
      await sender.send(batch.map((value) => ({ topic, value })));
    } catch (error) {
      this.#waiting.unshift(...batch);
      throw error;
    }
  }

  #drop(count: number, code: string): void {
    this.#waiting.splice(0, count);
    this.#options.onDropped(count, code);
  }
}
