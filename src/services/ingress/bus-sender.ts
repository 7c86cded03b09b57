/**
 * A producer that comes when it is needed: the bus may be away when ingress starts, and again later. Used by the announcer and the status
 * reporter, one each, so that waiting status messages hold up no announcement.
 */
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Bus, OutgoingRecord, Producer, RecordSender } from '../../platform/bus/bus.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { within } from '../../platform/clock/deadline.ts';
import type { SendingBus } from './ports.ts';
import type { IngressBusEvents } from './telemetry.ts';

interface BusSenderOptions {
  readonly bus: Pick<SendingBus, 'createProducer'>;
  readonly clock: Clock;
  readonly events: IngressBusEvents;
  readonly deadlineMs: number;
}

export class BusSender implements RecordSender {
  readonly #options: BusSenderOptions;
  #producer: Promise<Producer> | undefined;
  #closed = false;

  constructor(options: BusSenderOptions) {
    this.#options = options;
  }

  /** Rejects after the deadline; the records may then still arrive. */
  async send(records: readonly OutgoingRecord[]): Promise<void> {
    await this.sendAnd(records, () => undefined);
  }

  /** As `send`; also says when records that were given up have arrived after all. */
  async sendAnd(records: readonly OutgoingRecord[], arrivedLate: () => void): Promise<void> {
    const { clock, events, deadlineMs } = this.#options;
    const topic = records[0]?.topic ?? '';
    const state = { late: false };
    const startedMs = clock.monotonicMs();
    const done = events.sendStarted();
    const sending = this.#sendNow(records).then(() => {
      events.recordsAcknowledged(topic, records.length, clock.monotonicMs() - startedMs);
      if (state.late) arrivedLate();
    });
    sending.then(done, done);
    try {
      await within(sending, { clock, ms: deadlineMs }, () => {
        throw tooSlow(deadlineMs);
      });
    } catch (error) {
      state.late = true;
      events.sendFailed(topic, records.length, error);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const producer = await this.#producer?.catch(() => undefined);
    await producer?.close();
  }

  async #sendNow(records: readonly OutgoingRecord[]): Promise<void> {
    const producer = await this.#getProducer();
    await producer.send(records);
  }

  #getProducer(): Promise<Producer> {
    if (this.#closed) throw new CcxError('ingress is stopping', { code: 'BUS_CLOSED', category: 'internal' });
    if (this.#producer === undefined) {
      const opening = this.#options.bus.createProducer();
      this.#producer = opening;
      opening.catch(() => {
        if (this.#producer === opening) this.#producer = undefined;
      });
    }
    return this.#producer;
  }
}

function tooSlow(ms: number): CcxError {
  return new CcxError(`the bus did not acknowledge within ${ms} ms`, {
    code: 'BUS_TIMEOUT',
    category: 'connection',
    retryable: true,
  });
}

/**
 * A bus that is opened when it is first needed, and again after it could not be: ingress takes uploads while the bus is away, also at its
 * start. Made by `commands.ts`.
 */
interface LateBus extends SendingBus {
  /** Tries once. Resolves with why the bus is away, if it is; rejects with what no waiting will mend: wrong settings. */
  tryNow(): Promise<CcxError | undefined>;
  close(): Promise<void>;
}

export interface OpenedBus {
  readonly bus: Bus;
  /** Of the bus and of what was opened for it. */
  close(): Promise<void>;
}

export function createLateBus(open: () => Promise<OpenedBus>): LateBus {
  const state: { opening?: Promise<OpenedBus> | undefined } = {};
  const get = (): Promise<OpenedBus> => {
    if (state.opening === undefined) {
      const opening = open();
      state.opening = opening;
      opening.catch(() => {
        state.opening = undefined;
      });
    }
    return state.opening;
  };
  return {
    createProducer: async () => await (await get()).bus.createProducer(),
    check: async () => await (await get()).bus.check(),
    async tryNow() {
      try {
        await get();
        return undefined;
      } catch (error) {
        if (error instanceof CcxError && error.retryable) return error;
        throw error;
      }
    },
    async close() {
      const opened = await state.opening?.catch(() => undefined);
      await opened?.close();
    },
  };
}
