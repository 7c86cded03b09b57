/**
 * What a cooldown counts by is never deleted for its age: a `sent` row of `reported` that is gone is a notification that was never sent,
 * and the issue would be notified again at every run. The notification service stores the cooldowns that it runs with; every retention
 * by age (its own, both drop-in programs') reads them here, because the process that deletes may know no cooldown at all. Commands that
 * delete everything (`--db-cleanup`, `--truncate-old-reports`) do not ask.
 */

import { TABLE_COOLDOWNS, TABLE_REPORTED } from '../../contracts/tables.ts';
import type { Queryable } from '../database/database.ts';
import { sqlState } from '../database/database-error.ts';
import { requireTableRights } from '../database/missing-rights.ts';
import { tableIsKept } from './report-facts.ts';

export interface TargetCooldown {
  readonly eventTargetId: number;
  /** PostgreSQL interval; undefined: the target has none. */
  readonly cooldown: string | undefined;
}

export async function storeCooldowns(queryable: Queryable, cooldowns: readonly TargetCooldown[]): Promise<void> {
  await queryable.query(
    `WITH given AS (SELECT * FROM unnest($1::int[], $2::interval[]) AS g(event_type_id, cooldown)),
     gone AS (DELETE FROM ${TABLE_COOLDOWNS} AS c USING given AS g WHERE c.event_type_id = g.event_type_id AND g.cooldown IS NULL)
     INSERT INTO ${TABLE_COOLDOWNS} AS c (event_type_id, cooldown)
     SELECT event_type_id, cooldown FROM given WHERE cooldown IS NOT NULL
     ON CONFLICT (event_type_id) DO UPDATE SET cooldown = excluded.cooldown, stored_at = excluded.stored_at
      WHERE c.cooldown <> excluded.cooldown`,
    [cooldowns.map(({ eventTargetId }) => eventTargetId), cooldowns.map(({ cooldown }) => cooldown?.trim() ?? null)],
  );
}

/**
 * The longest of the stored cooldowns and of the caller's own, as an interval; undefined when there is none. What is no interval is
 * nobody's cooldown: the run that would count by it refuses it by name.
 */
export async function longestCooldown(queryable: Queryable, own: readonly string[] = []): Promise<string | undefined> {
  const candidates = own.filter(isCooldown);
  // A cooldown that may not be read would be one that is not kept to.
  await requireTableRights(queryable, [TABLE_COOLDOWNS], ['SELECT']);
  if (await tableIsKept(queryable, TABLE_COOLDOWNS, 'SELECT')) {
    const { rows } = await queryable.query<{ longest: string | null }>(
      `SELECT max(cooldown)::text AS longest FROM ${TABLE_COOLDOWNS}`,
    );
    candidates.push(...rows.flatMap(({ longest }) => longest ?? []));
  }
  let longest: string | undefined;
  for (const candidate of candidates) if (await isLonger(queryable, candidate, longest)) longest = candidate;
  return longest;
}

/** Blank, or with a first word `0`: no cooldown, as the reference reads it. Source: notification-service.md 8.2. */
function isCooldown(text: string): boolean {
  return text.trim() !== '' && text.trim().split(' ')[0] !== '0';
}

async function isLonger(queryable: Queryable, candidate: string, than: string | undefined): Promise<boolean> {
  try {
    return await isShorter(queryable, than ?? '0', candidate.trim());
  } catch (error) {
    if ((sqlState(error) ?? '').startsWith('22')) return false;
    throw error;
  }
}

/** Undefined where the age is not shorter than the cooldown. Rejects with the server's error for an age that is no interval. */
export async function warningOf(queryable: Queryable, maxAge: string, cooldown: string): Promise<string | undefined> {
  if (!(await isShorter(queryable, maxAge, cooldown))) return undefined;
  return `the age of ${maxAge} is shorter than the cooldown of ${cooldown}: rows of ${TABLE_REPORTED} that it counts by are kept until it ends`;
}

/** Of two intervals. */
async function isShorter(queryable: Queryable, interval: string, than: string): Promise<boolean> {
  const { rows } = await queryable.query<{ shorter: boolean }>('SELECT $1::interval < $2::interval AS shorter', [
    interval,
    than,
  ]);
  return rows[0]!.shorter;
}
