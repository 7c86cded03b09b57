/** What ingress needs from the outside, in its own words. */
import type { Bus } from '../../platform/bus/bus.ts';

/** What ingress uses of the bus: it sends, and asks whether it could. */
export type SendingBus = Pick<Bus, 'createProducer' | 'check'>;

/** Where archives can be fetched from. */
export interface ArchiveLinks {
  /** A link that whoever has it may follow for a day. */
  create(requestId: string): Promise<string>;
}
