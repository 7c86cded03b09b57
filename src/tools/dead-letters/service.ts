/**
 * The work behind `ccx dead-letters`: reads the dead letters of all dead-letter topics and the notifications that were given up, puts one back on
 * its way, or marks it as done with. Nothing is removed here: dead letters leave by the retention of where they lie.
 */
import { DEAD_LETTER_TOPICS } from '../../contracts/topics.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Bus, BusRecord, OutgoingRecord, PartitionLag, Position } from '../../platform/bus/bus.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import type { Connection, Database, Queryable } from '../../platform/database/database.ts';
import { type ByWhom, recordAudit } from '../../platform/records/audit.ts';
import {
  type DeadLetter,
  type DeadLetterState,
  type DeadNotifications,
  deadLetterId,
  originalRecord,
  parseDeadLetterId,
  type TopicDeadLetter,
  toDeadLetter,
} from './dead-letter.ts';

/** One read of a topic: enough to be few round trips, small enough for dead letters of a megabyte each. */
const deadLettersPerReadMax = 100;
/** It has no offsets of its own. */
const toolGroup = 'ccx-dead-letters';

export interface DeadLetters {
  /** Those of the topics, oldest first within each partition, then notifications, unless a topic is named; handled ones only on demand. */
  list(options?: { readonly topic?: string; readonly handledToo?: boolean }): AsyncIterable<DeadLetter>;
  /** Codes: `DEAD_LETTER_ID` for a text that is no dead letter's name, `DEAD_LETTER_UNKNOWN` when it is not (or no longer) there. */
  find(id: string): Promise<DeadLetter>;
  /**
   * Sends the original record to its topic, or has the notification sent once more; then the dead letter counts as replayed. Resolves to what
   * became of it. Codes: `DEAD_LETTER_NO_SOURCE` when it does not say where it came from, `DEAD_LETTER_SOURCE_GONE` when it was too large
   * to be kept and is not there any more, `RETRY_NOT_POSSIBLE`.
   */
  replay(id: string, byWhom: ByWhom): Promise<string>;
  discard(id: string, byWhom: ByWhom): Promise<void>;
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
  await migrateCcx(database, 'records');
  const deadLetters = deadLettersOfTopics(dependencies);

  async function find(id: string): Promise<DeadLetter> {
    const place = parseDeadLetterId(id);
    if (place === undefined && !id.startsWith('notifications/')) throw notAnId(id);
    const deadLetter = place === undefined ? await notifications?.find(id) : await deadLetters.find(place);
    if (deadLetter === undefined) throw unknownDeadLetter(id);
    return deadLetter;
  }

  return {
    find,
    async *list({ topic, handledToo = false } = {}) {
      yield* deadLetters.list(topic, handledToo);
      if (topic === undefined && notifications !== undefined) yield* notifications.list({ handledToo });
    },
    async replay(id, byWhom) {
      const deadLetter = await find(id);
      if (isOfTopic(deadLetter)) return `is back on ${await deadLetters.replay(deadLetter, byWhom)}`;
      if ((await notifications?.retry(id, byWhom)) === true) return 'will be sent under a new id';
      throw new CcxError(`${id} was sent again before`, {
        code: 'RETRY_NOT_POSSIBLE',
        category: 'input',
        hint: 'ccx notifications list shows what became of it',
      });
    },
    async discard(id, byWhom) {
      const deadLetter = await find(id);
      if (isOfTopic(deadLetter)) await deadLetters.discard(deadLetter, byWhom);
      else await notifications?.discard(id, byWhom);
    },
  };
}

function isOfTopic(deadLetter: DeadLetter): deadLetter is TopicDeadLetter {
  return 'record' in deadLetter;
}

function deadLettersOfTopics({ bus, database, topics = DEAD_LETTER_TOPICS }: DeadLettersDependencies) {
  /** Of a dead letter that was too large for the whole record. */
  async function atSource({ id, info }: TopicDeadLetter): Promise<OutgoingRecord> {
    const { sourceTopic: topic, sourcePartition: partition, sourceOffset: offset } = info!;
    const [record] = await bus.admin.read({ topic, partition, offset }, 1);
    if (record?.offset === offset) {
      return { topic, key: record.key, value: record.value, headersBefore: record.headers };
    }
    throw new CcxError(`the record of the dead letter ${id} is no longer at ${topic}/${partition}/${offset}`, {
      code: 'DEAD_LETTER_SOURCE_GONE',
      category: 'input',
      hint: 'it was too large to be kept as a dead letter, and retention has taken it from its topic; discard it',
    });
  }

  return {
    async *list(topic: string | undefined, handledToo: boolean) {
      const existing = new Set(await bus.admin.listTopics());
      const wanted = (topic === undefined ? topics : [topic]).filter((name) => existing.has(name));
      const handled = await readHandled(database);
      for (const partition of await bus.admin.lag(toolGroup, wanted)) {
        let next = partition.start;
        while (next < partition.end) {
          const records = await bus.admin.read({ ...partition, offset: next }, deadLettersPerReadMax);
          for (const record of records) {
            const state = stateOf(record, handled);
            if (state === 'open' || handledToo) yield toDeadLetter(record, state);
          }
          const last = records.at(-1);
          if (last === undefined) break;
          next = last.offset + 1n;
        }
      }
    },

    async find(place: Position): Promise<TopicDeadLetter | undefined> {
      const [record] = await bus.admin.read(place, 1);
      if (record === undefined || record.offset !== place.offset) return undefined;
      return toDeadLetter(record, stateOf(record, await readHandled(database)));
    },

    /** Resolves to the topic. */
    async replay(deadLetter: TopicDeadLetter, byWhom: ByWhom): Promise<string> {
      const original = deadLetter.info?.leftOut === undefined ? originalRecord(deadLetter) : await atSource(deadLetter);
      if (original === undefined) {
        throw new CcxError(`the dead letter ${deadLetter.id} does not say which topic it came from`, {
          code: 'DEAD_LETTER_NO_SOURCE',
          category: 'input',
          hint: 'it was written by another program; produce its value to the right topic by hand',
        });
      }
      const partitions = await bus.admin.lag(toolGroup, [deadLetter.record.topic]);
      const producer = await bus.createProducer();
      try {
        await producer.send([original]);
      } finally {
        await producer.close();
      }
      // After the send: a death in between leaves the dead letter open, and a second replay is a repeat that consumers recognise.
      await markHandled(database, deadLetter, { state: 'replayed', partitions }, byWhom);
      return original.topic;
    },

    async discard(deadLetter: TopicDeadLetter, byWhom: ByWhom): Promise<void> {
      const partitions = await bus.admin.lag(toolGroup, [deadLetter.record.topic]);
      await markHandled(database, deadLetter, { state: 'discarded', partitions }, byWhom);
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

function unknownDeadLetter(id: string): CcxError {
  return new CcxError(`there is no dead letter ${id}`, {
    code: 'DEAD_LETTER_UNKNOWN',
    category: 'input',
    hint: 'dead letters are kept for a limited time; ccx dead-letters list shows what is there',
  });
}

interface Handled {
  readonly action: DeadLetterState;
  /** Null where an earlier release handled it. */
  readonly timestampMs: bigint | null;
}

/** All handled dead letters, by their ids. People handle dead letters by the dozen, so the table is small. */
async function readHandled(database: Queryable): Promise<ReadonlyMap<string, Handled>> {
  const { rows } = await database.query<Position & Handled>(
    'SELECT topic, partition, "offset", action, timestamp_ms AS "timestampMs" FROM ccx.dead_letter_handled',
  );
  return new Map(rows.map((row) => [deadLetterId(row), row]));
}

/** Another letter may lie at the offset of one that was handled, on a topic that was deleted and made again. */
function stateOf(record: BusRecord, handled: ReadonlyMap<string, Handled>): DeadLetterState {
  const found = handled.get(deadLetterId(record));
  if (found === undefined) return 'open';
  return found.timestampMs === null || found.timestampMs === BigInt(record.timestampMs) ? found.action : 'open';
}

/** What retention has taken from the topic needs no row any more. */
async function forgetHandled(tx: Connection, { topic, partition, start }: PartitionLag): Promise<void> {
  await tx.query('DELETE FROM ccx.dead_letter_handled WHERE topic = $1 AND partition = $2 AND "offset" < $3', [
    topic,
    partition,
    start,
  ]);
}

interface Deed {
  readonly state: 'replayed' | 'discarded';
  /** Of the dead letter's topic. */
  readonly partitions: readonly PartitionLag[];
}

/** Records the deed, audited; a dead letter that was handled before keeps its last deed. */
async function markHandled(
  database: Database,
  { id, state, info, record }: TopicDeadLetter,
  { state: deed, partitions }: Deed,
  byWhom: ByWhom,
): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.query(
      `INSERT INTO ccx.dead_letter_handled (topic, partition, "offset", action, note, timestamp_ms) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (topic, partition, "offset") DO UPDATE
          SET action = excluded.action, note = excluded.note, handled_at = now(), timestamp_ms = excluded.timestamp_ms`,
      [record.topic, record.partition, record.offset, deed, byWhom.reason ?? '', record.timestampMs],
    );
    for (const partition of partitions) await forgetHandled(tx, partition);
    const action = deed === 'replayed' ? 'dead-letters replay' : 'dead-letters discard';
    const after = { state: deed, ...(info === undefined ? {} : { code: info.code }) };
    await recordAudit(tx, { ...byWhom, action, subject: id, before: { state }, after });
  });
}
