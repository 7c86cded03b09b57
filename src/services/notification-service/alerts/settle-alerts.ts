/**
 * Which alerts of a receiver are active now: every issue that is there, page by page, decided and held against the ledger. Memory does not
 * grow with the fleet. What posting them means is `post-alerts.ts`'s.
 */
import type { RuleContentDirectory } from '../../../contracts/rule-content.ts';
import { TABLE_CLUSTER_OWNERS } from '../../../contracts/tables.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import { type AlertDecision, type AlertRow, alertChange, decideAlert } from '../decide/decide-alert.ts';
import { isKeptFrom } from '../decide/decide-cluster.ts';
import { type ClusterFilter, type DisabledRules, isClusterAllowed, silenceOf } from '../decide/disabled-rules.ts';
import { createVerdicts, isInScope } from '../decide/verdicts.ts';
import type { CompiledPolicy } from '../policy.ts';
import type { Target } from '../ports.ts';
import { readAcknowledgements } from '../store/acknowledgements.ts';
import {
  type ChangedAlert,
  endClosedAlerts,
  type IssueOfPage,
  issuesPage,
  issuesPerPageMax,
  writeAlertChanges,
} from '../store/alerts.ts';
import type { StoreAccess } from '../store/transact.ts';

/** A receiver that is told levels, with its number. */
export interface NumberedReceiver {
  readonly target: Target;
  readonly policy: CompiledPolicy;
}

interface Knowledge {
  readonly content: RuleContentDirectory;
  readonly rules: DisabledRules;
  readonly clusters: ClusterFilter;
}

export interface DecidedIssue {
  readonly issue: IssueOfPage;
  readonly decision: AlertDecision;
}

/** Each issue that is there, with what is decided of it; reads only. */
export async function* decidedPages(
  store: StoreAccess,
  { target, policy }: NumberedReceiver,
  { content, rules, clusters }: Knowledge,
): AsyncGenerator<readonly DecidedIssue[]> {
  const verdicts = createVerdicts(content, policy);
  const ownersKnown = await areOwnersKnown(store.database);
  let after: IssueOfPage | undefined;
  for (;;) {
    const page = await issuesPage(store.database, { eventTargetId: target.eventTargetId, ownersKnown, after });
    const acknowledgements = await readAcknowledgements(store, page);
    yield page.map((issue) => ({
      issue,
      decision: decideAlert({
        issue,
        moved: issue.moved,
        keptFromTarget: isKeptFrom(target, issue.cluster),
        allowed: isClusterAllowed(clusters, issue.cluster),
        inScope: isInScope(policy.scope, issue),
        silence: silenceOf({ rules, acknowledgements }, issue, issue),
        verdict: verdicts.of(issue.component, issue.errorKey),
      }),
    }));
    if (page.length < issuesPerPageMax) return;
    after = page.at(-1);
  }
}

async function areOwnersKnown(queryable: Queryable): Promise<boolean> {
  const { rows } = await queryable.query<{ known: boolean }>('SELECT to_regclass($1) IS NOT NULL AS known', [
    TABLE_CLUSTER_OWNERS,
  ]);
  return rows[0]!.known;
}

/** What the ledger says of it; undefined where it has no row. */
export function rowOf({ reason, acknowledgementId, toldAs, closed }: IssueOfPage): AlertRow | undefined {
  return reason === null ? undefined : { reason, acknowledgementId, toldAs, closed };
}

/** Writes what has begun and ended since the round before. Stops between two pages when the signal aborts. */
export async function settleAlerts(
  store: StoreAccess,
  receiver: NumberedReceiver,
  how: Knowledge & { readonly signal: AbortSignal },
): Promise<{ readonly active: number; readonly began: number; readonly ended: number }> {
  const counts = { active: 0, began: 0, ended: 0 };
  for await (const page of decidedPages(store, receiver, how)) {
    if (how.signal.aborted) return counts;
    const changes: ChangedAlert[] = [];
    for (const { issue, decision } of page) {
      if (decision.active) counts.active += 1;
      const change = alertChange(rowOf(issue), decision);
      if (change === undefined) continue;
      if (change.kind === 'begins') counts.began += 1;
      if (change.kind === 'ends') counts.ended += 1;
      changes.push({ issue, change, notificationId: change.kind === 'begins' ? store.clock.uuid() : null });
    }
    await writeAlertChanges(store, receiver.target, changes);
  }
  counts.ended += await endClosedAlerts(store, receiver.target);
  return counts;
}
