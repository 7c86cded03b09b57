/**
 * One run from beginning to end: what time it is, content, disabled rules, what others changed, then the pipeline. The public single step
 * of the service; follow mode repeats it. Rejects when the run could not be done; what it had stored by then counts.
 */

import type { RuleContentDirectory } from '../../contracts/rule-content.ts';
import { TABLE_CLUSTER_OWNERS, TABLE_NEW_REPORTS, TABLE_STORED_MESSAGE } from '../../contracts/tables.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Database } from '../../platform/database/database.ts';
import { storeCooldowns, type TargetCooldown } from '../../platform/records/cooldowns.ts';
import type { DisabledRules } from './decide/disabled-rules.ts';
import type { Kept } from './keep-last-good.ts';
import { SERVICE_STATUS } from './metrics.ts';
import { runPipeline } from './pipeline.ts';
import { type CompiledPolicy, measureCooldown, preparePolicy } from './policy.ts';
import type { Target } from './ports.ts';
import type { Run, RunTarget, TargetHealth } from './run.ts';
import { createTally, finishTally, type RunSummary } from './run.ts';
import type { NotificationServiceSettings } from './settings.ts';
import { countWaiting, isFirstRun, readGauges } from './store/outbox.ts';
import { followDisabledRules, forgetRemovedRows, setBackWhatLiesAhead } from './store/reconcile.ts';
import { reissueRequested } from './store/reissue.ts';
import { readContestedClusters } from './store/reports.ts';
import type { Events } from './telemetry.ts';
import type { TimeSource } from './timestamps.ts';
import { microsOfMs, timestampMicros, timestampText } from './timestamps.ts';

/** Clusters of which it is said, once each, that several organizations report them. */
const contestedClustersMax = 1_000;

/** What lasts from run to run. */
export interface ServiceState {
  readonly settings: NotificationServiceSettings;
  readonly database: Database;
  readonly clock: Clock;
  readonly time: TimeSource;
  readonly events: Events;
  readonly content: Kept<RuleContentDirectory>;
  readonly disabledRules: Kept<DisabledRules>;
  readonly targets: readonly {
    readonly target: Target;
    readonly policy: CompiledPolicy;
    readonly health: TargetHealth;
  }[];
  /** Clusters of which it was said that several organizations report them. */
  readonly contested: Set<string>;
  readonly signal: AbortSignal;
}

export interface RunRequest {
  /** The policies of the run before, to notice that they changed. */
  readonly previous?: readonly RunTarget[];
  /** Look only at what was stored since; ignored when policies changed. */
  readonly sinceMicros?: bigint;
  /** The disabled rules that the reports were last made due for. */
  readonly followedRules?: DisabledRules;
  /** The cooldowns that are stored for whoever deletes old rows. */
  readonly storedCooldowns?: readonly TargetCooldown[];
  /** Whether rows were removed from `reported` is not looked at in this run. */
  readonly removedRowsChecked?: boolean;
}

export interface FinishedRun {
  readonly summary: RunSummary;
  readonly run: Run;
  readonly followedRules: DisabledRules;
  readonly storedCooldowns: readonly TargetCooldown[];
}

export async function runOnce(state: ServiceState, request: RunRequest = {}): Promise<FinishedRun> {
  const startedMs = state.clock.monotonicMs();
  const { events } = state;
  events.statusChanged(SERVICE_STATUS.starting);
  const stepMicros = await state.time.synchronize(state.database);
  if (stepMicros !== 0n) state.events.clockStepped(stepMicros);
  // Before the content, so that of several things that are away the same one is told as by the reference.
  await state.disabledRules.get();
  events.statusChanged(SERVICE_STATUS.fetchingContent);
  const content = await loadContent(state);
  const targets = await prepareTargets(state, content);
  const cooldowns = storedCooldowns(state, targets);
  if (JSON.stringify(cooldowns) !== JSON.stringify(request.storedCooldowns))
    await storeCooldowns(state.database, cooldowns);
  const unchanged = targets.every(({ policy }, index) => request.previous?.[index]?.policy.hash === policy.hash);
  // What was stored before and after a step of the clock is in no order of time.
  const sinceMicros = unchanged && stepMicros === 0n ? request.sinceMicros : undefined;
  const run = await beginRun(state, { targets, sinceMicros });
  if (stepMicros < 0n || request.previous === undefined) await setBackWhatLiesAhead(run, stepMicros);
  events.statusChanged(SERVICE_STATUS.readingReported);
  const rules = await run.disabledRules();
  if (rules !== request.followedRules) await followDisabledRules(run, rules);
  if (request.removedRowsChecked !== true) events.sentRowsRemoved(await forgetRemovedRows(run));
  for (const runTarget of targets) {
    for (const { old, next, error } of await reissueRequested(run, runTarget)) {
      if (next === undefined) events.notificationNotReissued(runTarget.target, old.id, error);
      else events.notificationReissued(runTarget.target, old.id, next.id);
    }
  }
  if (run.sinceMicros === undefined) await sayContested(state, run);
  events.statusChanged(SERVICE_STATUS.processingClusters);
  const processingMs = state.clock.monotonicMs();
  await runPipeline(run);
  events.operationTimed('process_clusters', processingMs);
  await readGauges(run);
  const summary = finishTally(run.tally, state.clock.monotonicMs() - startedMs);
  events.runFinished(summary);
  events.statusChanged(SERVICE_STATUS.inactive);
  return { summary, run, followedRules: rules, storedCooldowns: cooldowns };
}

/** A text that means no cooldown is none for the others too. */
function storedCooldowns(state: ServiceState, targets: readonly RunTarget[]): readonly TargetCooldown[] {
  return targets.map(({ target, policy }, index) => ({
    eventTargetId: target.eventTargetId,
    cooldown: policy.cooldownMicros === undefined ? undefined : state.targets[index]!.policy.settings.cooldown,
  }));
}

async function loadContent(state: ServiceState): Promise<RuleContentDirectory> {
  const content = await state.content.get();
  state.events.contentLoaded(Object.keys(content.rules).length, state.content.ageMs() ?? 0);
  return content;
}

async function prepareTargets(state: ServiceState, content: RuleContentDirectory): Promise<RunTarget[]> {
  const nowMicros = state.time.nowMicros();
  const targets: RunTarget[] = [];
  for (const { target, policy, health } of state.targets) {
    const how = { nowText: timestampText(nowMicros), events: state.events };
    const cooldownMicros = await measureCooldown(state.database, policy.settings, how);
    targets.push({
      target,
      health,
      policy: preparePolicy({ policy, content, clusters: state.settings.clusters, cooldownMicros }),
      dueMicros: await dueMoments(state, target),
    });
  }
  return targets;
}

/** Once per cluster: whoever reports it last is believed, or is not, and neither must happen in silence. */
async function sayContested({ contested, events }: ServiceState, run: Run): Promise<void> {
  for (const { cluster, orgIds } of await readContestedClusters(run, contestedClustersMax)) {
    if (contested.has(cluster) || contested.size >= contestedClustersMax) continue;
    contested.add(cluster);
    events.clusterContested(cluster, orgIds, run.ownersCount);
  }
}

/** In a first run the messages past the cap become due in portions, so that a populated database does not flood its owners at once. */
async function dueMoments(state: ServiceState, target: Target): Promise<() => bigint> {
  const { messagesMax, everyMs } = state.settings.firstRun;
  if (messagesMax === 0 || !(await isFirstRun(state, target.eventTargetId))) return () => state.time.nowMicros();
  const startMicros = state.time.nowMicros();
  let given = await countWaiting(state, target.eventTargetId);
  return () => {
    const portion = Math.floor(given / messagesMax);
    given += 1;
    if (portion === 1 && given === messagesMax + 1) state.events.firstRunHeldBack(target, messagesMax);
    return portion === 0 ? state.time.nowMicros() : startMicros + microsOfMs(everyMs) * BigInt(portion);
  };
}

async function beginRun(
  state: ServiceState,
  how: { readonly targets: readonly RunTarget[]; readonly sinceMicros: bigint | undefined },
): Promise<Run> {
  const { rows } = await state.database.query<{ kept: boolean; owned: boolean; newest: string | null }>(
    `SELECT to_regclass($1) IS NOT NULL AS kept, to_regclass($2) IS NOT NULL AS owned,
            (SELECT max(updated_at) FROM ${TABLE_NEW_REPORTS} WHERE updated_at > 'epoch' AND updated_at < $3::timestamp) AS newest`,
    [TABLE_STORED_MESSAGE, TABLE_CLUSTER_OWNERS, timestampText(state.time.nowMicros())],
  );
  const { kept, owned, newest } = rows[0]!;
  const { settings, database, clock, time, events, signal } = state;
  const startedMicros = time.nowMicros();
  return {
    ...{ settings, database, clock, time, events, signal, startedMicros },
    id: clock.uuid(),
    tally: createTally(),
    newestStoredMicros: newest === null ? 0n : timestampMicros(newest),
    targets: how.targets,
    clusters: settings.clusters,
    disabledRules: () => state.disabledRules.get(),
    sinceMicros: how.sinceMicros,
    ownersCount: settings.reportsOf === 'owner' && owned,
    requestIdsKept: kept,
  };
}
