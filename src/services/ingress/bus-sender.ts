/**
 * A producer that comes when it is needed: the bus may be away when ingress starts, and again later. Used by the announcer and the status
 * reporter, one each, so that waiting status messages hold up no announcement.
 */
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Bus, OutgoingRecord, Producer, RecordSender } from '../../platform/bus/bus.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { within } from '../../platform/clock/deadline.ts';
import { Late } from './late.ts';
import type { IngressBusEvents } from './telemetry.ts';

/** How long the bus may take to acknowledge before the announcement is kept in the outbox. */
export const announceMsMax = 5_000;

/** What ingress uses of the bus: it sends, and asks whether it could. */
export type SendingBus = Pick<Bus, 'createProducer' | 'check'>;

export class BusSender implements RecordSender {
  readonly #clock: Clock;
  readonly #events: IngressBusEvents;
  readonly #producer: Late<Producer>;
  #closed = false;

  constructor(bus: SendingBus, { clock, events }: { readonly clock: Clock; readonly events: IngressBusEvents }) {
    this.#clock = clock;
    this.#events = events;
    this.#producer = new Late(() => bus.createProducer());
  }

  /** Rejects after the deadline; the records may then still arrive, and `arrivedLate` says so. */
  async send(records: readonly OutgoingRecord[], arrivedLate: () => void = () => undefined): Promise<void> {
    const clock = this.#clock;
    const events = this.#events;
    const topic = records[0]?.topic ?? '';
    let isLate = false;
    const startedMs = clock.monotonicMs();
    const done = events.sendStarted();
    const sending = this.#sendNow(records).then(() => {
      events.recordsAcknowledged(topic, records.length, clock.monotonicMs() - startedMs);
      if (isLate) arrivedLate();
    });
    sending.then(done, done);
    try {
      await within(sending, { clock, ms: announceMsMax }, () => {
        throw tooSlow();
      });
    } catch (error) {
      isLate = true;
      events.sendFailed(topic, records.length, error);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await (await this.#producer.opened())?.close();
  }

  async #sendNow(records: readonly OutgoingRecord[]): Promise<void> {
    if (this.#closed) throw new CcxError('ingress is stopping', { code: 'BUS_CLOSED', category: 'internal' });
    await (await this.#producer.get()).send(records, { together: true });
  }
}

function tooSlow(): CcxError {
  return new CcxError(`the bus did not acknowledge within ${announceMsMax} ms`, {
    code: 'BUS_TIMEOUT',
    category: 'connection',
    retryable: true,
  });
}

export interface OpenedBus {
  readonly bus: Bus;
  /** Of the bus and of what was opened for it. */
  close(): Promise<void>;
}

/**
 * A bus that is opened when it is first needed, and again after it could not be: ingress takes uploads while the bus is away, also at its
 * start. Made by `commands.ts`.
 */
export function createLateBus(open: () => Promise<OpenedBus>) {
  const late = new Late(open);
  return {
    createProducer: async () => await (await late.get()).bus.createProducer(),
    check: async () => await (await late.get()).bus.check(),
    /** Tries once. Resolves with why the bus is away, if it is; rejects with what no waiting will mend: wrong settings. */
    async tryNow(): Promise<CcxError | undefined> {
      try {
        await late.get();
        return undefined;
      } catch (error) {
        if (error instanceof CcxError && error.retryable) return error;
        throw error;
      }
    },
    async close(): Promise<void> {
      await (await late.opened())?.close();
    },
  };
}
