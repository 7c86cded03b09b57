/** Counts what waits and what is listed, for metrics: decided and never finished must be seen from outside. Called at the end of a run. Source: consumers.md R15. */
import { TABLE_NOTIFICATION_OUTBOX, TABLE_NOTIFICATION_TARGETS } from '../../../contracts/tables.ts';
import type { Run } from '../run-context.ts';
import { timestampMicros } from '../timestamps.ts';

export async function readGauges(run: Run): Promise<void> {
  const nowMicros = run.time.nowMicros();
  const names = new Map<number, string>(run.targets.map(({ target }) => [target.eventTargetId, target.name]));
  const { rows } = await run.database.query<{
    event_type_id: number;
    state: string;
    count: number;
    oldest: string | null;
    paused_until: string | null;
  }>(
    `SELECT ids.event_type_id, counted.state, coalesce(counted.count, 0) AS count, counted.oldest, t.paused_until
       FROM unnest($1::int[]) AS ids(event_type_id)
       LEFT JOIN (
         SELECT event_type_id, state, count(*)::int AS count, min(due_at) FILTER (WHERE finished_at IS NULL) AS oldest
           FROM (SELECT event_type_id, state, due_at, finished_at FROM ${TABLE_NOTIFICATION_OUTBOX} WHERE finished_at IS NULL
                  UNION ALL
                 SELECT event_type_id, state, due_at, finished_at FROM ${TABLE_NOTIFICATION_OUTBOX}
                  WHERE state IN ('dead', 'unknown') AND finished_at IS NOT NULL AND replaced_by IS NULL AND discarded_at IS NULL) AS open
          GROUP BY event_type_id, state) AS counted USING (event_type_id)
       LEFT JOIN ${TABLE_NOTIFICATION_TARGETS} AS t USING (event_type_id)`,
    [[...names.keys()]],
  );
  const nameOf = (id: number) => names.get(id) ?? String(id);
  run.events.outboxCounted(
    rows.flatMap(({ event_type_id, state, count }) =>
      state === null ? [] : [{ target: nameOf(event_type_id), state, count }],
    ),
  );
  for (const [id, name] of names) {
    const own = rows.filter((row) => row.event_type_id === id);
    const oldest = own.flatMap((row) => (row.oldest === null ? [] : [timestampMicros(row.oldest)]));
    const first = oldest.reduce((least, micros) => (micros < least ? micros : least), nowMicros);
    const pausedUntil = own[0]?.paused_until;
    run.events.targetGauged(name, {
      oldestSeconds: Number((nowMicros - first) / 1_000_000n),
      paused: pausedUntil !== null && pausedUntil !== undefined && timestampMicros(pausedUntil) > nowMicros,
    });
  }
}
