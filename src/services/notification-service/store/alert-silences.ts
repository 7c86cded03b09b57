/**
 * `ccx.alertmanager_silences`: which alerts of ours an Alertmanager silences, and until when, as it was read back last; shown by
 * `ccx explain`. Nothing is written for what did not change.
 */
import { TABLE_ALERTMANAGER_SILENCES } from '../../../contracts/tables.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import { timestampText } from '../timestamps.ts';
import { unnest } from './row-arrays.ts';
import type { StoreAccess } from './transact.ts';

export interface SilencedRow {
  readonly silenceId: string;
  readonly orgId: number;
  readonly cluster: string;
  readonly rule: string;
  readonly errorKey: string;
  /** Microseconds since the epoch. */
  readonly untilMicros: bigint;
  readonly by: string;
  readonly comment: string;
}

export async function storeSilenced(
  { database }: StoreAccess,
  eventTargetId: number,
  silenced: readonly SilencedRow[],
): Promise<void> {
  if (silenced.length === 0) return;
  const values: unknown[] = [eventTargetId];
  const rows = silenced.map(({ silenceId, orgId, errorKey, untilMicros, ...rest }) => ({
    ...{ ...rest, silence_id: silenceId, org_id: orgId, error_key: errorKey, until: untilMicros },
  }));
  const columns =
    'silence_id text, org_id int, cluster bpchar, rule text, error_key text, until micros, by text, comment text';
  await database.query(
    `INSERT INTO ${TABLE_ALERTMANAGER_SILENCES} AS s (event_type_id, silence_id, org_id, cluster, rule, error_key, until, by, comment)
     SELECT DISTINCT ON (silence_id, org_id, cluster, rule, error_key) $1::int, u.* FROM ${unnest('u', values, columns, rows)}
     ON CONFLICT (event_type_id, silence_id, org_id, cluster, rule, error_key) DO UPDATE
        SET until = excluded.until, by = excluded.by, comment = excluded.comment
      WHERE (s.until, s.by, s.comment) IS DISTINCT FROM (excluded.until, excluded.by, excluded.comment)`,
    values,
  );
}

/** What is over, and what was silenced by others than these. Undefined: not everybody could be asked, so that only what is over goes. */
export async function forgetSilenced(
  { database, nowMicros }: StoreAccess,
  eventTargetId: number,
  silenceIds: readonly string[] | undefined,
): Promise<void> {
  await database.query(
    `DELETE FROM ${TABLE_ALERTMANAGER_SILENCES}
      WHERE event_type_id = $1 AND (until <= $2::timestamp OR NOT silence_id = ANY($3::text[]))`,
    [eventTargetId, timestampText(nowMicros()), silenceIds ?? null],
  );
}

/** An issue that an Alertmanager keeps silent. */
export interface ExplainedSilence {
  readonly event_type_id: number;
  readonly org_id: number;
  readonly rule: string;
  readonly error_key: string;
  readonly until: string;
  readonly by: string;
  readonly comment: string;
}

/** Of a cluster, in force at `now`. None where the table is not there yet. */
export async function readSilencesOf(
  queryable: Queryable,
  cluster: string,
  now: string,
): Promise<readonly ExplainedSilence[]> {
  const { rows: known } = await queryable.query<{ isThere: boolean }>(
    'SELECT to_regclass($1) IS NOT NULL AS "isThere"',
    [TABLE_ALERTMANAGER_SILENCES],
  );
  if (!known[0]!.isThere) return [];
  const { rows } = await queryable.query<ExplainedSilence>(
    `SELECT event_type_id, org_id, rule, error_key, until::text, by, comment FROM ${TABLE_ALERTMANAGER_SILENCES}
      WHERE cluster = $1::character(36) AND until > $2::timestamp ORDER BY until DESC, silence_id`,
    [cluster, now],
  );
  return rows;
}
