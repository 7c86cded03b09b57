/**
 * Tells the payload tracker what was done with a request id. Status messages are told, not promised: they wait in a bounded list,
 * go out in batches and never hold up an archive. Used by the service's events.
 */
import { cutUtf8 } from '../../contracts/cut-utf8.ts';
import type { PayloadStatus, PayloadStatusMessage } from '../../contracts/payload-status.ts';
import { formatRfc3339 } from '../../contracts/rfc3339.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { busPauseMs, statusBatchMax, statusesQueuedMax, statusTextBytesMax } from './limits.ts';
import type { RecordSender } from './ports.ts';

export interface StatusSenderOptions {
  readonly sender: RecordSender;
  /** Empty: no status is sent. */
  readonly topic: string;
  /** Field `service` of the messages. */
  readonly service: string;
  readonly clock: Clock;
  readonly onDropped: (count: number) => void;
}

export interface StatusSubject {
  /** Without one there is nothing to tell about. */
  readonly requestId: string | null;
  readonly account?: string | undefined;
  readonly orgId?: string | undefined;
}

export class StatusSender {
  readonly #options: StatusSenderOptions;
  readonly #queue: PayloadStatusMessage[] = [];
  readonly #stopping = new AbortController();
  #sending: Promise<void> | undefined;

  constructor(options: StatusSenderOptions) {
    this.#options = options;
  }

  tell(subject: StatusSubject, status: PayloadStatus, text?: string): void {
    if (this.#options.topic === '' || subject.requestId === null || this.#stopping.signal.aborted) return;
    this.#queue.push({
      service: this.#options.service,
      ...(subject.account === undefined ? {} : { account: subject.account }),
      ...(subject.orgId === undefined ? {} : { org_id: subject.orgId }),
      request_id: subject.requestId,
      status,
      ...(text === undefined ? {} : { status_msg: cutUtf8(text, statusTextBytesMax) }),
      date: formatRfc3339(this.#options.clock.nowMicros()),
    });
    if (this.#queue.length > statusesQueuedMax) {
      this.#options.onDropped(this.#queue.splice(0, this.#queue.length - statusesQueuedMax).length);
    }
    this.#sending ??= this.#sendAll();
  }

  /** True when nothing waits. */
  idle(): boolean {
    return this.#queue.length === 0 && this.#sending === undefined;
  }

  /** Sends what still waits, once, and takes nothing more. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#sending;
    while (this.#queue.length > 0) {
      try {
        await this.#sendBatch();
      } catch {
        this.#options.onDropped(this.#queue.splice(0).length);
      }
    }
  }

  async #sendAll(): Promise<void> {
    // What is told in the same turn goes out in the same batch.
    await Promise.resolve();
    while (this.#queue.length > 0 && !this.#stopping.signal.aborted) {
      try {
        await this.#sendBatch();
      } catch {
        await this.#options.clock.sleep(busPauseMs, this.#stopping.signal).catch(() => undefined);
      }
    }
    this.#sending = undefined;
  }

  async #sendBatch(): Promise<void> {
    const batch = this.#queue.slice(0, statusBatchMax);
    const { topic, sender } = this.#options;
    await sender.send(batch.map((message) => ({ topic, value: JSON.stringify(message) })));
    // The head may have been dropped meanwhile; what was sent is recognised, not counted.
    const sent = new Set(batch);
    this.#queue.splice(0, this.#queue.length, ...this.#queue.filter((message) => !sent.has(message)));
  }
}
