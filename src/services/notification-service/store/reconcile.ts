/**
 * Brings our tables in line with what happened beside us: rows of `reported` that are gone, rules that were disabled or enabled, a clock
 * that was set back, and messages that a person asked to be tried again. Called at the start of each run. Source: architecture.md 7.
 */
import { createHash } from 'node:crypto';
import {
  STATE_SENT,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_DISABLED_SCOPES,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_SENT_ROWS,
  TABLE_NOTIFICATION_TARGETS,
  TABLE_REPORTED,
} from '../../../contracts/tables.ts';
import { errorCode, errorText } from '../../../encoding/ccx-error.ts';
import type { Connection } from '../../../platform/database/database.ts';
import type { DisabledRules } from '../decide/disabled-rules.ts';
import { errorTextCharsMax } from '../limits.ts';
import type { ComposeContext, OutgoingNotification, Target } from '../ports.ts';
import { clockStepMsMin, microsOfMs, microsOrUndefined, timestampText } from '../timestamps.ts';
import { type NotificationRow, notificationColumns, wantedAgain } from './outbox.ts';
import { rowsJson, type StoreAccess, transact } from './transact.ts';

/** Manual retries taken up in one run; the rest follows in the next. */
const reissuesMax = 500;

/**
 * A notification counts only while the `sent` row that it was recorded with is there; where it is gone, an older row of the same cluster
 * that is still there counts instead, ours for what it notified, somebody else's as the reference reads it. Rows older than the longest
 * cooldown do not matter any more and are not looked for. Answers how many rows are gone.
 */
export async function forgetRemovedRows(store: StoreAccess, longestCooldownMicros: bigint): Promise<number> {
  const nowMicros = store.nowMicros();
  const since = timestampText(nowMicros - longestCooldownMicros);
  return transact(store, async (tx) => {
    const { rows } = await tx.query<{ gone: number; clusters: readonly string[] | null }>(
      `WITH gone AS (
         DELETE FROM ${TABLE_NOTIFICATION_SENT_ROWS} AS s
          WHERE s.notified_at > $1::timestamp
            AND NOT EXISTS (SELECT FROM ${TABLE_REPORTED} AS r
                             WHERE r.org_id = s.org_id AND r.cluster = s.cluster AND r.notified_at = s.notified_at
                               AND r.state = ${STATE_SENT} AND r.event_type_id = s.event_type_id)
         RETURNING s.org_id, s.cluster, s.notified_at, s.event_type_id),
       forgotten AS (
         UPDATE ${TABLE_NOTIFICATION_LEDGER} AS l
            SET state = CASE WHEN l.state = 'notified' THEN 'removed' ELSE l.state END, reported_at = NULL, next_eligible_at = NULL,
                clock_at = CASE WHEN l.state IN ('dead', 'unknown') AND l.clock_at = gone.notified_at THEN NULL ELSE l.clock_at END
           FROM gone
          WHERE l.event_type_id = gone.event_type_id AND l.org_id = gone.org_id AND l.cluster = gone.cluster
            AND l.reported_at = gone.notified_at),
       -- The decide step imports them again.
       looked_at_again AS (
         DELETE FROM ${TABLE_NOTIFICATION_SENT_ROWS} AS s
          USING (SELECT DISTINCT event_type_id, org_id, cluster FROM gone) AS g
          WHERE s.event_type_id = g.event_type_id AND s.org_id = g.org_id AND s.cluster = g.cluster AND NOT s.ours
            AND s.notified_at > $1::timestamp
            AND EXISTS (SELECT FROM ${TABLE_REPORTED} AS r
                         WHERE r.org_id = s.org_id AND r.cluster = s.cluster AND r.notified_at = s.notified_at
                           AND r.state = ${STATE_SENT} AND r.event_type_id = s.event_type_id)),
       due AS (
         UPDATE ${TABLE_NOTIFICATION_CONSIDERED} AS c
            SET next_due_at = $2::timestamp, version = c.version + 1
           FROM (SELECT DISTINCT event_type_id, cluster FROM gone) AS g
          WHERE c.event_type_id = g.event_type_id AND c.cluster = g.cluster)
       SELECT (SELECT count(*)::int FROM gone) AS gone, array_agg(DISTINCT cluster) AS clusters FROM gone`,
      [since, timestampText(nowMicros)],
    );
    const { gone, clusters } = rows[0]!;
    if (clusters !== null) await countByOlderRows(tx, clusters, since);
    return gone;
  });
}

/** What an older row of ours notified, by the messages that it was written for. */
async function countByOlderRows(tx: Connection, clusters: readonly string[], since: string): Promise<void> {
  await tx.query(
    `UPDATE ${TABLE_NOTIFICATION_LEDGER} AS l
        SET state = CASE WHEN l.state = 'removed' THEN 'notified' ELSE l.state END, reported_at = own.reported_at,
            clock_at = own.delivered_at, last_notified_at = own.delivered_at
       FROM (SELECT DISTINCT ON (o.event_type_id, o.org_id, o.cluster, i.type, i.component, i."errorKey")
                    o.event_type_id, o.org_id, o.cluster, i.type, i.component, i."errorKey" AS error_key, o.reported_at, o.delivered_at
               FROM ${TABLE_NOTIFICATION_OUTBOX} AS o
               JOIN ${TABLE_NOTIFICATION_SENT_ROWS} AS s
                 ON s.org_id = o.org_id AND s.cluster = o.cluster AND s.notified_at = o.reported_at
                AND s.event_type_id = o.event_type_id AND s.ours
              CROSS JOIN LATERAL json_to_recordset(o.issues) AS i(type text, component text, "errorKey" text)
              WHERE o.cluster = ANY($1::character(36)[]) AND o.state = 'delivered' AND o.reported_at > $2::timestamp
              ORDER BY o.event_type_id, o.org_id, o.cluster, i.type, i.component, i."errorKey", o.reported_at DESC) AS own
      WHERE l.event_type_id = own.event_type_id AND l.org_id = own.org_id AND l.cluster = own.cluster AND l.type = own.type
        AND l.component = own.component AND l.error_key = own.error_key AND l.reported_at IS NULL AND l.state IN ('removed', 'pending')`,
    [clusters, since],
  );
}

/**
 * After the clock was set back, what was written before lies in a future that would have to come first: cooldowns, retries, leases and
 * pauses move along with the clock. `stepMicros` is 0 when the step was not seen, at a start. Things move for as long as what was decided or
 * tried last lies ahead, and for no longer than the step: another process may have answered a part of what this one sees as one step. An
 * attempt that comes too early for that is harmless, one that is hours late is not. Answers how far things moved.
 */
export async function setBackWhatLiesAhead(
  store: StoreAccess,
  { stepMicros, leaseMs }: { readonly stepMicros: bigint; readonly leaseMs: number },
): Promise<bigint> {
  const nowMicros = store.nowMicros();
  return transact(store, async (tx) => {
    const { rows } = await tx.query<{ newest: string | null }>(
      `SELECT greatest((SELECT max(decided_at) FROM ${TABLE_NOTIFICATION_CONSIDERED}),
                       (SELECT max(last_attempt_at) FROM ${TABLE_NOTIFICATION_OUTBOX} WHERE finished_at IS NULL)) AS newest`,
    );
    const leadMicros = (microsOrUndefined(rows[0]!.newest) ?? nowMicros) - nowMicros;
    const backMicros = stepMicros === 0n || leadMicros < -stepMicros ? leadMicros : -stepMicros;
    if (backMicros < microsOfMs(clockStepMsMin)) return 0n;
    await tx.query(
      `WITH step AS (SELECT $1::timestamp AS now, $2::bigint * interval '1 microsecond' AS back,
                            -- What lies ahead by less was moved already, by a process that started beside this one.
                            $1::timestamp + $4::bigint * interval '1 microsecond' AS ahead),
       considered AS (
         UPDATE ${TABLE_NOTIFICATION_CONSIDERED} AS c
            SET decided_at = c.decided_at - s.back, next_due_at = c.next_due_at - s.back, version = c.version + 1
           FROM step AS s WHERE c.decided_at > s.ahead),
       ledger AS (
         UPDATE ${TABLE_NOTIFICATION_LEDGER} AS l
            SET clock_at = CASE WHEN l.clock_at > s.ahead THEN l.clock_at - s.back ELSE l.clock_at END,
                next_eligible_at = l.next_eligible_at - s.back,
                last_notified_at = CASE WHEN l.last_notified_at > s.ahead THEN l.last_notified_at - s.back ELSE l.last_notified_at END,
                silenced_at = CASE WHEN l.silenced_at > s.ahead THEN l.silenced_at - s.back ELSE l.silenced_at END,
                decided_at = CASE WHEN l.decided_at > s.ahead THEN l.decided_at - s.back ELSE l.decided_at END
           FROM step AS s WHERE l.clock_at > s.ahead OR l.decided_at > s.ahead),
       outbox AS (
         UPDATE ${TABLE_NOTIFICATION_OUTBOX} AS o
            SET next_attempt_at = CASE o.state WHEN 'claimed' THEN least(o.next_attempt_at, s.now + $3::bigint * interval '1 microsecond')
                                               ELSE greatest(s.now, o.next_attempt_at - s.back) END,
                due_at = CASE WHEN o.due_at > s.ahead THEN greatest(s.now, o.due_at - s.back) ELSE o.due_at END,
                -- What was decided before the step was not decided in the run that follows it.
                decided_at = CASE WHEN o.decided_at > s.ahead THEN o.decided_at - s.back ELSE o.decided_at END,
                last_attempt_at = CASE WHEN o.last_attempt_at > s.ahead THEN o.last_attempt_at - s.back ELSE o.last_attempt_at END,
                -- Frozen bytes have this moment in them.
                first_attempt_at = CASE WHEN o.first_attempt_at > s.ahead AND NOT o.may_have_arrived
                                        THEN o.first_attempt_at - s.back ELSE o.first_attempt_at END
           FROM step AS s
          WHERE o.next_attempt_at > s.ahead AND coalesce(o.last_attempt_at, o.decided_at) > s.ahead)
       UPDATE ${TABLE_NOTIFICATION_TARGETS} AS t
          SET paused_until = greatest(s.now, t.paused_until - s.back)
         FROM step AS s WHERE t.paused_until > s.ahead`,
      [timestampText(nowMicros), ...[backMicros, microsOfMs(leaseMs), microsOfMs(clockStepMsMin)].map(String)],
    );
    return backMicros;
  });
}

/** Makes the reports of every cluster and organization due whose disabled rules are not those of the run before. */
export async function followDisabledRules(store: StoreAccess, rules: DisabledRules): Promise<void> {
  const wanted = [
    ...[...rules.clusters].map(([scope, disabled]) => ({ kind: 'cluster', scope, rules_hash: hashOf(disabled) })),
    ...[...rules.organizations].map(([scope, disabled]) => ({
      kind: 'organization',
      scope,
      rules_hash: hashOf(disabled),
    })),
  ];
  await transact(store, (tx) =>
    tx.query(
      `WITH wanted AS (SELECT * FROM json_to_recordset($1) AS w(kind text, scope text, rules_hash text)),
       enabled AS (
         DELETE FROM ${TABLE_NOTIFICATION_DISABLED_SCOPES} AS d
          WHERE NOT EXISTS (SELECT FROM wanted AS w WHERE w.kind = d.kind AND w.scope = d.scope)
         RETURNING d.kind, d.scope),
       changed AS (
         INSERT INTO ${TABLE_NOTIFICATION_DISABLED_SCOPES} AS d (kind, scope, rules_hash)
         SELECT kind, scope, rules_hash FROM wanted
         ON CONFLICT (kind, scope) DO UPDATE SET rules_hash = excluded.rules_hash WHERE d.rules_hash <> excluded.rules_hash
         RETURNING d.kind, d.scope),
       moved AS (SELECT kind, scope FROM enabled UNION SELECT kind, scope FROM changed),
       due AS (
         SELECT c.event_type_id, c.cluster FROM ${TABLE_NOTIFICATION_CONSIDERED} AS c
           JOIN moved ON moved.kind = 'cluster' AND moved.scope = lower(rtrim(c.cluster))
          UNION
         SELECT c.event_type_id, c.cluster FROM ${TABLE_NOTIFICATION_CONSIDERED} AS c
           JOIN moved ON moved.kind = 'organization' AND moved.scope = c.org_id::text)
       UPDATE ${TABLE_NOTIFICATION_CONSIDERED} AS c
          SET next_due_at = $2::timestamp, version = c.version + 1
         FROM due
        WHERE c.event_type_id = due.event_type_id AND c.cluster = due.cluster`,
      [rowsJson(wanted), timestampText(store.nowMicros())],
    ),
  );
}

function hashOf(disabled: ReadonlySet<string>): string {
  return createHash('sha256')
    .update([...disabled].sort().join('\n'))
    .digest('hex')
    .slice(0, 16);
}

interface Reissued {
  readonly old: OutgoingNotification;
  /** Undefined when the target cannot make a new message of the old one; it stays as it is, with the error as its reason. */
  readonly next: OutgoingNotification | undefined;
  readonly error: unknown;
}

/**
 * Takes up what a person asked to be tried again: the message goes out under the new id that its target gives it; the old row keeps its
 * state and names its successor. The backend would swallow the old id for a day, and forget it after that. Source: consumers.md 1.4.
 */
export async function reissueRequested(
  store: StoreAccess,
  target: Target,
  context: ComposeContext,
): Promise<readonly Reissued[]> {
  return transact(store, async (tx) => {
    const { rows } = await tx.query<NotificationRow>(
      `SELECT ${notificationColumns} FROM ${TABLE_NOTIFICATION_OUTBOX} AS o
        WHERE o.event_type_id = $1 AND ${wantedAgain} ORDER BY o.id LIMIT $2 FOR UPDATE SKIP LOCKED`,
      [target.eventTargetId, reissuesMax],
    );
    const reissued = rows.map((row): Reissued => {
      const old = { ...row, target: target.name };
      try {
        return { old, next: target.reissue(old, context), error: undefined };
      } catch (error) {
        return { old, next: undefined, error };
      }
    });
    await storeSuccessors(tx, reissued, store.nowMicros());
    await storeRefusals(tx, reissued);
    return reissued;
  });
}

async function storeSuccessors(tx: Connection, reissued: readonly Reissued[], nowMicros: bigint): Promise<void> {
  const pairs = reissued.flatMap(({ old, next }) =>
    next === undefined ? [] : [{ old: old.id, next: next.id, body: next.body, headers: JSON.stringify(next.headers) }],
  );
  if (pairs.length === 0) return;
  await tx.query(
    `WITH pairs AS (SELECT * FROM json_to_recordset($1) AS p(old uuid, next uuid, body text, headers text)),
     replaced AS (
       UPDATE ${TABLE_NOTIFICATION_OUTBOX} AS o SET replaced_by = pairs.next FROM pairs WHERE o.id = pairs.old)
     INSERT INTO ${TABLE_NOTIFICATION_OUTBOX}
            (id, event_type_id, org_id, account_number, cluster, report_updated_at, decision_id, request_id, issues, headers, body, about,
             state, decided_at, due_at, next_attempt_at)
     SELECT pairs.next, o.event_type_id, o.org_id, o.account_number, o.cluster, o.report_updated_at, pairs.next, o.request_id,
            o.issues, pairs.headers::json, pairs.body, o.about, 'pending', $2::timestamp, $2::timestamp, $2::timestamp
       FROM pairs JOIN ${TABLE_NOTIFICATION_OUTBOX} AS o ON o.id = pairs.old`,
    [rowsJson(pairs), timestampText(nowMicros)],
  );
  await tx.query(
    `WITH pairs AS (SELECT * FROM json_to_recordset($1) AS p(old uuid, next uuid)),
     renewed AS (
       UPDATE ${TABLE_NOTIFICATION_LEDGER} AS l SET state = 'pending', state_before = l.state, notification_id = pairs.next,
            -- Nobody has to wait any more for what a person asked for, should this message be withdrawn.
            clock_at = CASE WHEN l.reported_at IS NOT NULL THEN l.clock_at END
         FROM pairs JOIN ${TABLE_NOTIFICATION_OUTBOX} AS o ON o.id = pairs.old
        WHERE l.event_type_id = o.event_type_id AND l.org_id = o.org_id AND l.cluster = o.cluster AND l.notification_id = pairs.old)
     UPDATE ${TABLE_NOTIFICATION_CONSIDERED} AS c SET version = c.version + 1
       FROM (SELECT DISTINCT o.event_type_id, o.cluster FROM pairs JOIN ${TABLE_NOTIFICATION_OUTBOX} AS o ON o.id = pairs.old) AS concerned
      WHERE c.event_type_id = concerned.event_type_id AND c.cluster = concerned.cluster`,
    [rowsJson(pairs.map(({ old, next }) => ({ old, next })))],
  );
}

/** The wish is dropped, or every later run would meet it again. */
async function storeRefusals(tx: Connection, reissued: readonly Reissued[]): Promise<void> {
  const refused = reissued.filter(({ next }) => next === undefined);
  if (refused.length === 0) return;
  await tx.query(
    `UPDATE ${TABLE_NOTIFICATION_OUTBOX} AS o SET retry_requested_at = NULL, error_code = r.code, error_text = r.text
       FROM json_to_recordset($1) AS r(id uuid, code text, text text) WHERE o.id = r.id`,
    [
      rowsJson(
        refused.map(({ old, error }) => ({
          id: old.id,
          code: errorCode(error),
          text: `cannot be sent again: ${errorText(error)}`.slice(0, errorTextCharsMax),
        })),
      ),
    ],
  );
}
