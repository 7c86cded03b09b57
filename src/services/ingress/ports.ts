/** What ingress needs from the outside, in its own words. */
import type { Bus, OutgoingRecord } from '../../platform/bus/bus.ts';

/** What ingress uses of the bus: it sends, and asks whether it could. */
export type SendingBus = Pick<Bus, 'createProducer' | 'check'>;

/** Where archives can be fetched from. */
export interface ArchiveLinks {
  /** A link that whoever has it may follow for a day. */
  create(requestId: string): Promise<string>;
}

/** The bus, as far as one sends to it. */
export interface RecordSender {
  /** Resolves when all of the records are durable on the bus. */
  send(records: readonly OutgoingRecord[]): Promise<void>;
}
