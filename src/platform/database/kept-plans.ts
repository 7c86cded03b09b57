/**
 * Statements whose plans connections keep, as named statements: which name a text has, how many there may be, and what is done when the
 * server does not go by a plan any more. Used by `connect-database.ts` alone; who asks for a kept plan, and for which statements that is
 * right, is said at `Planning`. Why, with figures: docs/decisions/0013.
 */
import { hash } from 'node:crypto';
import { CcxError } from '../../encoding/ccx-error.ts';
import { sqlState } from './database-error.ts';

/** Names of one pool. A plan takes some 50 to 200 kB of the server in each connection; texts are constants, and there are some dozens. */
export const keptPlansMax = 100;

/** Of one pool: names by text, the same for all of its connections, at most `keptPlansMax`; and how much it has done. */
export class KeptPlans {
  readonly #names = new Map<string, string>();
  /** That the pool has run, those without a kept plan, too: where much is written they are many. */
  statements = 0;

  nameOf(text: string): string | undefined {
    const known = this.#names.get(text);
    if (known !== undefined || this.#names.size >= keptPlansMax) return known;
    const name = `ccx_${hash('sha256', text, 'hex').slice(0, 24)}`;
    this.#names.set(text, name);
    return name;
  }
}

/**
 * The server makes a plan again when it has analyzed a table, a minute after much was written to it; until then a table that was nearly
 * empty is read as a whole, however large it has become. So a session makes its plans again when they are that old and its pool has run so
 * many statements since: a table that grows shows in them, and an installation where little happens finds its plans as they were.
 */
export const planAgeMsMax = 10_000;
export const planStatementsMax = 1_000;

/** Behind BEGIN, in its round trip: plans are made for any values, from the first time on. */
export const plansOfTransaction = '; SET LOCAL plan_cache_mode = force_generic_plan';

/**
 * A kept plan that cannot be used: a migration changed what the statement answers with, or the session is another one than it was, by a
 * pooler that does not show.
 */
export function isPlanLost(error: unknown): boolean {
  const state = sqlState(error);
  if (state === '0A000') return (error as { routine?: string }).routine === 'RevalidateCachedQuery';
  return state === '26000' || state === '42P05';
}

/** In a transaction, which has failed with it; the next attempt plans anew. */
export function planLost(cause: unknown): CcxError {
  return new CcxError('a kept plan of the database is out of date', {
    code: 'DATABASE_PLAN_LOST',
    category: 'storage',
    retryable: true,
    cause,
  });
}
