/**
 * Everything that is active, and what has ended, → one Alertmanager, in batches from the ledger: one batch is held at a time, however many
 * there are. Where one gets no answer the rest waits for the next round.
 */
import { labelFault, type PostableAlert } from '../../../contracts/alertmanager.ts';
import type { CcxError } from '../../../encoding/ccx-error.ts';
import { oneAhead } from '../in-parallel.ts';
import type { AlertMember } from '../ports.ts';
import { alertsPage, markAlertsTaken, type PostedAlert } from '../store/alerts.ts';
import type { StoreAccess } from '../store/transact.ts';
import { type AlertContext, alertOf } from '../targets/alertmanager-target/compose-alert.ts';
import { timestampText } from '../timestamps.ts';
import type { AlertEvents } from './alert-events.ts';
import { alertsPerPostMax, type LeftOut, postBatch, searchingBudget } from './post-batch.ts';

interface Posting {
  readonly target: { readonly name: string; readonly eventTargetId: number };
  readonly member: AlertMember;
  readonly leftOut: LeftOut;
  /** What ended since then is posted with its end; undefined: nothing is. */
  readonly endedSinceMicros: bigint | undefined;
  readonly context: AlertContext;
  readonly events: AlertEvents;
  readonly signal: AbortSignal;
}

/** Undefined: it has taken everything. Rejects where the ledger cannot be read. */
export async function postAlerts(store: StoreAccess, posting: Posting): Promise<CcxError | undefined> {
  const { target, member, leftOut, context, events, signal } = posting;
  const where = { target: target.name, address: member.address };
  const startedMs = store.clock.monotonicMs();
  const budget = searchingBudget();
  const invalid: { count: number; example: string | undefined } = { count: 0, example: undefined };
  let count = 0;
  for await (const page of oneAhead(pagesOf(store, posting))) {
    if (signal.aborted) return undefined;
    const rows = new Map<PostableAlert, PostedAlert>();
    for (const row of page) {
      const alert = alertOf(row, context);
      const fault = labelFault(alert.labels);
      if (fault === undefined) {
        if (!leftOut.has(alert)) rows.set(alert, row);
        continue;
      }
      invalid.count += 1;
      invalid.example ??= `${fault} of ${row.component} ${row.errorKey}`;
    }
    const post = async (alerts: readonly PostableAlert[]) => {
      const answer = await member.post(alerts, signal);
      events.batchPosted(where, answer.kind);
      return answer;
    };
    const { taken, refused, error } = await postBatch(post, [...rows.keys()], budget);
    for (const { alert, detail } of refused) {
      leftOut.add(alert);
      events.alertRefused(where, alert.labels, detail);
    }
    await markAlertsTaken(
      store,
      target,
      taken.map((alert) => rows.get(alert)!),
    );
    count += taken.length;
    if (error !== undefined) {
      if (!signal.aborted) events.postingFailed(where, error);
      return error;
    }
  }
  events.labelsInvalid(target.name, invalid.count, invalid.example);
  events.alertsPosted(where, { count, startedMs });
  return undefined;
}

async function* pagesOf(
  store: StoreAccess,
  { target, endedSinceMicros }: Posting,
): AsyncGenerator<readonly PostedAlert[]> {
  const endedSince = endedSinceMicros === undefined ? null : timestampText(endedSinceMicros);
  const { eventTargetId } = target;
  let after: PostedAlert | undefined;
  for (;;) {
    const page = await alertsPage(store.database, { eventTargetId, endedSince, rowsMax: alertsPerPostMax, after });
    if (page.length > 0) yield page;
    if (page.length < alertsPerPostMax) return;
    after = page.at(-1);
  }
}
