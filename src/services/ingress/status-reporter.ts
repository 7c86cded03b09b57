/**
 * Tells the payload tracker what became of an upload. Told, not promised: messages wait in a bounded list, go out in order and in batches,
 * and never hold up an upload. Used by `events.ts`. Source: ingress.md A.8.
 */

import { stringifyLikeGo } from '../../contracts/go-json.ts';
import type { PayloadStatus, PayloadStatusMessage } from '../../contracts/payload-status.ts';
import { formatRfc3339 } from '../../contracts/rfc3339.ts';
import { STATUS_SERVICE_INGRESS } from '../../contracts/service-names.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { statusesPerSendMax, statusesWaitingMax, statusRetryMs } from './limits.ts';
import type { RecordSender } from './ports.ts';

export interface StatusReporterOptions {
  readonly sender: RecordSender;
  readonly topic: string;
  readonly clock: Clock;
  readonly onDropped: (count: number) => void;
}

export interface StatusSubject {
  readonly requestId: string;
  readonly account: string;
  readonly orgId: string;
}

export class StatusReporter {
  readonly #options: StatusReporterOptions;
  readonly #waiting: string[] = [];
  readonly #stopping = new AbortController();
  #sending: Promise<void> | undefined;
  /** Whether the last attempt succeeded. */
  #works = true;

  constructor(options: StatusReporterOptions) {
    this.#options = options;
  }

  report(subject: StatusSubject, status: PayloadStatus, text: string): void {
    const message: PayloadStatusMessage = {
      service: STATUS_SERVICE_INGRESS,
      account: subject.account,
      org_id: subject.orgId,
      request_id: subject.requestId,
      status,
      status_msg: text,
      date: formatRfc3339(this.#options.clock.nowMicros()),
    };
    this.#waiting.push(stringifyLikeGo(message));
    if (this.#waiting.length > statusesWaitingMax) {
      this.#waiting.shift();
      this.#options.onDropped(1);
    }
    this.#sending ??= this.#sendAll();
  }

  idle(): boolean {
    return this.#waiting.length === 0 && this.#sending === undefined;
  }

  /** Ends the send under way, sends the rest if the bus has answered last time, drops it otherwise. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#sending;
    while (this.#waiting.length > 0 && this.#works) await this.#sendBatch();
    if (this.#waiting.length > 0) this.#options.onDropped(this.#waiting.splice(0).length);
  }

  async #sendAll(): Promise<void> {
    // What is reported in the same turn goes out together.
    await Promise.resolve();
    while (this.#waiting.length > 0 && !this.#stopping.signal.aborted) {
      await this.#sendBatch();
      if (!this.#works) await this.#options.clock.sleep(statusRetryMs, this.#stopping.signal).catch(() => undefined);
    }
    this.#sending = undefined;
  }

  async #sendBatch(): Promise<void> {
    const batch = this.#waiting.splice(0, statusesPerSendMax);
    try {
      await this.#options.sender.send(batch.map((value) => ({ topic: this.#options.topic, value })));
      this.#works = true;
    } catch {
      this.#works = false;
      this.#putBack(batch);
    }
  }

  #putBack(batch: readonly string[]): void {
    this.#waiting.unshift(...batch);
    const excess = this.#waiting.length - statusesWaitingMax;
    if (excess <= 0) return;
    this.#waiting.splice(0, excess);
    this.#options.onDropped(excess);
  }
}
