/**
 * The topics of a service that has a dead-letter topic of its own, without which the first bad message would hold up all others. Called at
 * their start by the writer and the payload tracker.
 */
import { errorText } from '../../encoding/ccx-error.ts';
import type { Bus } from './bus.ts';

export interface OwnTopics {
  /** Made here, because nobody else makes it. */
  readonly own: string;
  /** Made here on the embedded bus only; on brokers they are their administrator's business. Empty names are passed over. */
  readonly others: readonly string[];
  readonly warn: (text: string) => void;
}

/** Brokers may keep the right to create topics to themselves: then the own topic has to be there already, and that is a warning. */
export async function ensureOwnTopics(bus: Bus, { own, others, warn }: OwnTopics): Promise<void> {
  const names = [own, ...(bus.kind === 'postgres' ? others : [])].filter((name) => name !== '');
  try {
    await bus.admin.ensureTopics(names.map((name) => ({ name, partitions: 1 })));
  } catch (error) {
    if (bus.kind === 'postgres') throw error;
    warn(`topic ${own} could not be created, make sure that it exists: ${errorText(error)}`);
  }
}
