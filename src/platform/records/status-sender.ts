/**
 * Reports to the payload tracker what was done with a request id. Status messages are sent, not promised: they wait in a bounded list, go out
 * in batches in the order of the reports, and never hold up or fail what they report. Used by the services' `telemetry.ts`.
 * Source: ingress.md A.8, data-pipeline.md 6.2, notification-writer.md 3.5.
 */

import type { Counter } from 'prom-client';
import { type PayloadStatus, payloadStatusOf, serializePayloadStatus } from '../../contracts/payload-status.ts';
import { errorCode } from '../../encoding/ccx-error.ts';
import { cutUtf8 } from '../../encoding/cut-utf8.ts';
import { formatRfc3339 } from '../../encoding/rfc3339.ts';
import type { RecordSender } from '../bus/bus.ts';
import { backoffMs } from '../clock/backoff.ts';
import type { Clock } from '../clock/clock.ts';
import { pause } from '../clock/deadline.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** Status messages that wait for the bus, some 6 MB. Beyond it the oldest are dropped and counted: they are sent, not promised. */
export const statusesWaitingMax = 30_000;
/** Status messages sent at once. */
export const statusBatchMax = 1_000;
/** Text of an error in a status message. */
const statusTextBytesMax = 1_024;
/** Pause before status messages are sent again; doubles with each attempt, with jitter. */
const statusRetryMsMin = 250;
export const statusRetryMsMax = 15_000;

interface StatusSenderOptions {
  readonly sender: RecordSender;
  /** Empty: no status is sent. */
  readonly topic: string;
  /** Field `service` of the messages. */
  readonly service: string;
  readonly clock: Clock;
  /** How long the first of a batch waits for others; without it those of the same turn go together. */
  readonly gatherMs?: number;
  readonly dropped: Pick<Counter, 'inc'>;
  /** Hears of what was dropped; a service whose log has no line for it passes none. */
  readonly log?: Telemetry['log'];
}

interface StatusSubject {
  /** Without one there is nothing to report. */
  readonly requestId: string | null;
  readonly account?: string | undefined;
  readonly orgId?: string | undefined;
}

interface StatusDetails {
  readonly text?: string;
  /** When it happened; now, unless several messages are to carry the same time. */
  readonly atMicros?: bigint;
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

  report(subject: StatusSubject, status: PayloadStatus, details: StatusDetails = {}): void {
    const { topic, service, clock } = this.#options;
    const { requestId, account, orgId } = subject;
    if (topic === '' || requestId === null || requestId === '' || this.#stopping.signal.aborted) return;
    const message = serializePayloadStatus({
      service,
      account,
      org_id: orgId,
      request_id: requestId,
      status,
      status_msg: details.text === undefined ? undefined : cutUtf8(details.text, statusTextBytesMax),
      date: formatRfc3339(details.atMicros ?? clock.nowMicros()),
    });
    this.#waiting.push(message);
    this.#dropExcess();
    this.#sending ??= this.#sendAll();
  }

  /** The same of many requests at once: request by request, with one time for all. Ids that are empty are left out. */
  reportAll(requestIds: readonly string[], statuses: readonly PayloadStatus[]): void {
    const { topic, service, clock } = this.#options;
    if (topic === '' || requestIds.length === 0 || this.#stopping.signal.aborted) return;
    const date = formatRfc3339(clock.nowMicros());
    const messagesOf = statuses.map((status) => payloadStatusOf({ service, status, date }));
    for (const requestId of requestIds) {
      if (requestId === '') continue;
      for (const messageOf of messagesOf) this.#waiting.push(messageOf(requestId));
    }
    if (this.#waiting.length === 0) return;
    this.#dropExcess();
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
    // What is reported in the same turn goes out in the same batch.
    await Promise.resolve();
    const { clock, gatherMs = 0 } = this.#options;
    const { signal } = this.#stopping;
    let failures = 0;
    while (this.#waiting.length > 0 && !signal.aborted) {
      try {
        if (gatherMs > 0 && this.#waiting.length < statusBatchMax) await pause(clock, gatherMs, signal);
        await this.#sendBatch();
        failures = 0;
      } catch {
        failures += 1;
        await clock.sleep(backoffMs(retryBounds, failures, clock.random()), signal).catch(() => undefined);
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
      this.#dropExcess();
      throw error;
    }
  }

  #dropExcess(): void {
    if (this.#waiting.length > statusesWaitingMax)
      this.#drop(this.#waiting.length - statusesWaitingMax, 'STATUS_QUEUE_FULL');
  }

  /** The oldest go first. */
  #drop(count: number, code: string): void {
    this.#waiting.splice(0, count);
    this.#options.dropped.inc(count);
    this.#options.log?.warn({ count, code }, 'status messages dropped; reports are not affected');
  }
}
