/** What the writer needs from the outside, in its own words. */
import type { OutgoingRecord } from '../../platform/bus/bus.ts';

/** The half of a bus producer that is used here. */
export interface RecordSender {
  send(records: readonly OutgoingRecord[]): Promise<unknown>;
}

/** Which try of a step this is. */
export interface StepAttempt {
  /** Counts from 1. */
  readonly number: number;
  /** In [0, 1), for the pause before the next one. */
  readonly random: number;
}
