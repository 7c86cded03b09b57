/**
 * The work behind `ccx dead-letters`: reads the letters of all dead-letter topics and the notifications that were given up, puts one back on
 * its way, or marks it as done with. Nothing is removed here: letters leave by the retention of where they lie.
 */
import { DEAD_LETTER_TOPICS } from '../../contracts/topics.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Bus, OutgoingRecord } from '../../platform/bus/bus.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import type { Database, Queryable } from '../../platform/database/database.ts';
import type { DeadNotifications } from './dead-letter.ts';
import {
  type Letter,
  type LetterPlace,
  type LetterState,
  letterId,
  originalRecord,
  parseLetterId,
  type TopicLetter,
  toLetter,
} from './dead-letter.ts';

/** One read of a topic: enough to be few round trips, small enough for letters of a megabyte each. */
const lettersPerReadMax = 100;

export interface DeadLetters {
  /** Those of the topics, oldest first within each partition, then notifications, unless a topic is named; handled ones only on demand. */
  list(options?: { readonly topic?: string; readonly handledToo?: boolean }): AsyncIterable<Letter>;
  /** Codes: `DEAD_LETTER_ID` for a text that is no letter's name, `DEAD_LETTER_UNKNOWN` when it is not (or no longer) there. */
  find(id: string): Promise<Letter>;
  /**
   * Sends the original record to its topic, or has the notification sent once more; then the letter counts as replayed. Resolves to what
   * became of it. Codes: `DEAD_LETTER_NO_SOURCE` when it does not say where it came from, `DEAD_LETTER_SOURCE_GONE` when it was too large
   * to be kept and is not there any more, `RETRY_NOT_POSSIBLE`.
   */
  replay(id: string): Promise<string>;
  discard(id: string, note: string): Promise<void>;
}

interface DeadLettersDependencies {
  readonly bus: Bus;
  readonly database: Database;
  /** Topics to look at; those that do not exist are passed over. */
  readonly topics?: readonly string[];
  readonly notifications?: DeadNotifications | undefined;
}

export async function openDeadLetters(dependencies: DeadLettersDependencies): Promise<DeadLetters> {
  const { database, notifications } = dependencies;
  await migrateCcx(database, 'dead-letters');
  const letters = topicLetters(dependencies);

  async function find(id: string): Promise<Letter> {
    const place = parseLetterId(id);
    const isNotification = place === undefined && id.startsWith('notifications/');
    if (place === undefined && !isNotification) throw notAnId(id);
    const letter = place === undefined ? await notifications?.find(id) : await letters.find(id);
    if (letter === undefined) throw unknownLetter(id);
    return letter;
  }

  return {
    find,
    async *list({ topic, handledToo = false } = {}) {
      yield* letters.list(topic, handledToo);
      if (topic === undefined && notifications !== undefined) yield* notifications.list({ handledToo });
    },
    async replay(id) {
      const letter = await find(id);
      if (isOfTopic(letter)) return `is back on ${await letters.replay(letter)}`;
      if ((await notifications?.retry(id)) === true) return 'will be sent under a new id';
      throw new CcxError(`${id} was sent again before`, {
        code: 'RETRY_NOT_POSSIBLE',
        category: 'input',
        hint: 'ccx notifications list shows what became of it',
      });
    },
    async discard(id, note) {
      const letter = await find(id);
      if (isOfTopic(letter)) await markHandled(database, letter.record, { action: 'discarded', note });
      else await notifications?.discard(id, note);
    },
  };
}

function isOfTopic(letter: Letter): letter is TopicLetter {
  return 'record' in letter;
}

function topicLetters({ bus, database, topics = DEAD_LETTER_TOPICS }: DeadLettersDependencies) {
  /** Of a letter that was too large for the whole record. */
  async function atSource({ id, info }: TopicLetter): Promise<OutgoingRecord> {
    const { sourceTopic: topic, sourcePartition: partition, sourceOffset: offset } = info!;
    const [record] = await bus.admin.read({ topic, partition, offset }, 1);
    if (record?.offset === offset) {
      return { topic, key: record.key, value: record.value, headersBefore: record.headers };
    }
    throw new CcxError(`the record of the dead letter ${id} is no longer at ${topic}/${partition}/${offset}`, {
      code: 'DEAD_LETTER_SOURCE_GONE',
      category: 'input',
      hint: 'it was too large to be kept as a letter, and retention has taken it from its topic; discard the letter',
    });
  }

  return {
    async *list(topic: string | undefined, handledToo: boolean) {
      const existing = new Set(await bus.admin.listTopics());
      const wanted = (topic === undefined ? topics : [topic]).filter((name) => existing.has(name));
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
    },

    async find(id: string): Promise<TopicLetter | undefined> {
      const place = parseLetterId(id)!;
      const [record] = await bus.admin.read(place, 1);
      if (record === undefined || record.offset !== place.offset) return undefined;
      return toLetter(record, (await readHandled(database)).get(id) ?? 'open');
    },

    /** Resolves to the topic. */
    async replay(letter: TopicLetter): Promise<string> {
      const original = letter.info?.leftOut === undefined ? originalRecord(letter) : await atSource(letter);
      if (original === undefined) {
        throw new CcxError(`the dead letter ${letter.id} does not say which topic it came from`, {
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
      return original.topic;
    },
  };
}

function notAnId(id: string): CcxError {
  return new CcxError(`${id} is not the id of a dead letter`, {
    code: 'DEAD_LETTER_ID',
    category: 'input',
    hint: 'ids look like topic/partition/offset or notifications/id; ccx dead-letters list shows them',
  });
}

function unknownLetter(id: string): CcxError {
  return new CcxError(`there is no dead letter ${id}`, {
    code: 'DEAD_LETTER_UNKNOWN',
    category: 'input',
    hint: 'letters are kept for a limited time; ccx dead-letters list shows what is there',
  });
}

/** States of all handled letters by letter id. People handle letters by the dozen, so the table is small. */
async function readHandled(database: Queryable): Promise<ReadonlyMap<string, LetterState>> {
  const { rows } = await database.query<{ topic: string; partition: number; offset: bigint; action: LetterState }>(
    'SELECT topic, partition, "offset", action FROM ccx.dead_letter_handled',
  );
  return new Map(rows.map((row) => [letterId(row), row.action]));
}

/** Records the deed; a letter that was handled before keeps its last deed. */
async function markHandled(
  database: Queryable,
  place: LetterPlace,
  deed: { readonly action: 'replayed' | 'discarded'; readonly note: string },
): Promise<void> {
  await database.query(
    `INSERT INTO ccx.dead_letter_handled (topic, partition, "offset", action, note) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (topic, partition, "offset") DO UPDATE SET action = excluded.action, note = excluded.note, handled_at = now()`,
    [place.topic, place.partition, place.offset, deed.action, deed.note],
  );
}
