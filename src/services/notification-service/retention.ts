/** When the retention runs: at the end of a run, but not of each. What it deletes is `store/retention.ts`'s. */
import { longestCooldown } from '../../platform/records/cooldowns.ts';
import type { Run } from './run-context.ts';
import type { ServiceState } from './run-once.ts';
import { deleteExpired, type RetentionBounds } from './store/retention.ts';
import { microsOfMs, timestampText } from './timestamps.ts';

export interface Retention {
  deleteExpired(run: Run): Promise<void>;
}

export function createRetention({ settings, clock, events }: ServiceState): Retention {
  let doneMs: number | undefined;
  return {
    async deleteExpired(run) {
      if (run.signal.aborted) return;
      if (doneMs !== undefined && clock.monotonicMs() - doneMs < settings.retention.everyMs) return;
      doneMs = clock.monotonicMs();
      events.expiredDeleted(await deleteExpired(run.database, await boundsOf(run)));
    },
  };
}

async function boundsOf(run: Run): Promise<RetentionBounds> {
  const nowMicros = run.time.nowMicros();
  const { outboxMs, ledgerMs, reportsMaxAge } = run.settings.retention;
  const cooldowns = run.targets.map(({ policy }) => policy.cooldownMicros ?? 0n);
  const longest = cooldowns.reduce((longer, cooldown) => (cooldown > longer ? cooldown : longer), 0n);
  // Another process may serve a target with a longer one.
  const stored = (await longestCooldown(run.database)) ?? '0';
  const { rows } = await run.database.query<{ since: string }>(
    'SELECT least($1::timestamp, $2::timestamp - $3::interval)::text AS since',
    [timestampText(nowMicros - longest), timestampText(nowMicros), stored],
  );
  return {
    outboxBefore: timestampText(nowMicros - microsOfMs(outboxMs)),
    ledgerBefore: timestampText(nowMicros - microsOfMs(ledgerMs)),
    cooldownSince: rows[0]!.since,
    reportsMaxAge,
    now: timestampText(nowMicros),
  };
}
