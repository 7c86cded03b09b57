/** Letters that lie elsewhere than on a dead-letter topic, in this tool's own words: their owner keeps them, `cli.ts` brings them here. */
import type { Database } from '../../platform/database/database.ts';
import type { Letter } from './letter.ts';

/** Of notifications that were given up, or of which nobody knows whether they arrived; they stay in the notification service's outbox. */
export interface DeadNotifications {
  /** Ids are `notifications/<id of the notification>`; oldest first. */
  list(options: { readonly handledToo: boolean }): AsyncIterable<Letter>;
  /** Undefined when there is none, or the notification is not dead. */
  find(id: string): Promise<Letter | undefined>;
  /** Has it sent once more under a new id; false when it was before. */
  retry(id: string): Promise<boolean>;
  discard(id: string, note: string): Promise<void>;
}

/** Undefined where no notification service of ours has worked on the database. */
export type OpenDeadNotifications = (database: Database) => Promise<DeadNotifications | undefined>;
