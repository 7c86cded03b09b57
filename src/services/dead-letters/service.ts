/**
 * The work behind `ccx dead-letters`: reads the letters of all dead-letter topics, puts one back on its topic, or marks it as done with.
 * Nothing is removed here: letters leave their topic by its retention.
 */
import { CcxError } from '../../contracts/ccx-error.ts';
import { DEAD_LETTER_TOPICS } from '../../contracts/topics.ts';
import type { Bus } from '../../platform/bus/bus.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import type { Database } from '../../platform/database/database.ts';
import { type Letter, letterId, originalRecord, parseLetterId, toLetter } from './letter.ts';
import { lettersPerReadMax } from './limits.ts';
import { markHandled, readHandled } from './store.ts';

export interface DeadLetters {
  /** Oldest first within each partition; handled ones only on demand. */
  list(options?: { readonly topic?: string; readonly handledToo?: boolean }): AsyncIterable<Letter>;
  /** Codes: `DEAD_LETTER_ID` for a text that is no letter's name, `DEAD_LETTER_UNKNOWN` when it is not (or no longer) there. */
  find(id: string): Promise<Letter>;
  /** Sends the original record to its topic, then marks the letter. Code `DEAD_LETTER_NO_SOURCE` when it does not say where it came from. */
  replay(id: string): Promise<Letter>;
  discard(id: string, note: string): Promise<Letter>;
}

export interface DeadLettersDependencies {
  readonly bus: Bus;
  readonly database: Database;
  /** Topics to look at; those that do not exist are passed over. */
  readonly topics?: readonly string[];
}

export async function openDeadLetters({ bus, database, topics }: DeadLettersDependencies): Promise<DeadLetters> {
  await migrateCcx(database, 'dead-letters');

  async function* list({ topic, handledToo = false }: { topic?: string; handledToo?: boolean } = {}) {
    const existing = new Set(await bus.admin.listTopics());
    const wanted = (topic === undefined ? (topics ?? DEAD_LETTER_TOPICS) : [topic]).filter((name) =>
      existing.has(name),
    );
    const handled = await readHandled(database);
    for (const partition of await bus.admin.lag('ccx-dead-letters', wanted)) {
      let next = partition.start;
      while (next < partition.end) {
        const records = await bus.admin.read({ ...partition, offset: next }, lettersPerReadMax);
        for (const record of records) {
          const state = handled.get(letterId(record)) ?? 'open';
          if (state === 'open' || handledToo) yield toLetter(record, state);
        }
        const last = records.at(-1);
        if (last === undefined) break;
        next = last.offset + 1n;
      }
    }
  }

  async function find(id: string): Promise<Letter> {
    const place = parseLetterId(id);
    if (place === undefined) {
      throw new CcxError(`${id} is not the id of a dead letter`, {
        code: 'DEAD_LETTER_ID',
        category: 'input',
        hint: 'ids look like topic/partition/offset; ccx dead-letters list shows them',
      });
    }
    const [record] = await bus.admin.read(place, 1);
    if (record === undefined || record.offset !== place.offset) {
      throw new CcxError(`there is no dead letter ${id}`, {
        code: 'DEAD_LETTER_UNKNOWN',
        category: 'input',
        hint: 'its topic keeps letters for a limited time; ccx dead-letters list shows what is there',
      });
    }
    return toLetter(record, (await readHandled(database)).get(id) ?? 'open');
  }

  async function replay(id: string): Promise<Letter> {
    const letter = await find(id);
    const original = originalRecord(letter);
    if (original === undefined) {
      throw new CcxError(`the dead letter ${id} does not say which topic it came from`, {
        code: 'DEAD_LETTER_NO_SOURCE',
        category: 'input',
        hint: 'it was written by another program; produce its value to the right topic by hand',
      });
    }
    const producer = await bus.createProducer();
    try {
      await producer.send([original]);
    } finally {
      await producer.close();
    }
    // After the send: a death in between leaves the letter open, and a second replay is a repeat that consumers recognise.
    await markHandled(database, letter.record, { action: 'replayed', note: '' });
    return { ...letter, state: 'replayed' };
  }

  async function discard(id: string, note: string): Promise<Letter> {
    const letter = await find(id);
    await markHandled(database, letter.record, { action: 'discarded', note });
    return { ...letter, state: 'discarded' };
  }

  return { list, find, replay, discard };
}
