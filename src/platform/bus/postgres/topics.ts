/**
 * Topics of the embedded bus by name, remembered per process. A topic that was deleted and made again has another id, so what is
 * remembered is only ever used together with its id and forgotten when that id is gone.
 */
import type { Database } from '../../database/database.ts';
import { topicUnknown } from '../bus-errors.ts';

export interface Topic {
  readonly topicId: bigint;
  readonly name: string;
  readonly partitions: number;
}

export class TopicDirectory {
  readonly #database: Database;
  readonly #known = new Map<string, Topic>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Every named topic; throws `BUS_TOPIC_UNKNOWN` naming those that do not exist. */
  async resolve(names: Iterable<string>): Promise<ReadonlyMap<string, Topic>> {
    const wanted = new Set(names);
    const missing = [...wanted].filter((name) => !this.#known.has(name));
    if (missing.length > 0) {
      const { rows } = await this.#database.query<{ topic_id: bigint; name: string; partitions: number }>(
        'SELECT topic_id, name, partitions FROM ccx.bus_topics WHERE name = ANY($1::text[])',
        [missing],
      );
      for (const row of rows) {
        this.#known.set(row.name, { topicId: row.topic_id, name: row.name, partitions: row.partitions });
      }
    }
    const unknown = missing.filter((name) => !this.#known.has(name));
    if (unknown.length > 0) throw topicUnknown(unknown);
    return new Map([...wanted].map((name) => [name, this.#known.get(name)!]));
  }

  forget(names: Iterable<string>): void {
    for (const name of names) this.#known.delete(name);
  }
}
