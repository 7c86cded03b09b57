/**
 * One run from beginning to end: what time it is, content, disabled rules, what others changed, then the pipeline; and one run at a time,
 * whoever asks for it. The public single step of the service; follow mode repeats it. Rejects when the run could not be done; what it had
 * stored by then counts.
 */
import { storeCooldowns, type TargetCooldown } from '../../platform/records/cooldowns.ts';
import { beginRun, prepareTargets, readBeginning, type ServiceState } from './begin-run.ts';
import { SERVICE_STATUS } from './metrics.ts';
import { type FinishedRun, finishTally, longestOf, type Run, type RunStore, type RunTarget } from './run.ts';
import { followAcknowledgements } from './store/acknowledgements.ts';
import { readGauges } from './store/outbox.ts';
import { followDisabledRules, forgetRemovedRows, reissueRequested, setBackWhatLiesAhead } from './store/reconcile.ts';
import { type RecentReports, readContestedClusters } from './store/reports.ts';
import { deleteExpired } from './store/retention.ts';
import { markStaleClusters } from './store/stale-clusters.ts';
import type { Events } from './telemetry.ts';
import { microsOfMs } from './timestamps.ts';

/** Clusters of which it is said, once each, that several organizations report them. */
const contestedClustersMax = 1_000;

/** Expired rows of a table that go behind one run of follow mode, some seconds; what is left goes behind the next one. */
const expiredRowsMax = 50_000;

export type Runner = ReturnType<typeof createRunner>;

/** One run at a time, whoever asks for it; remembers how the last one went. */
export function createRunner(state: ServiceState, runPipeline: (run: Run, store: RunStore) => Promise<void>) {
  let last: FinishedRun | undefined;
  let failure: unknown;
  let queue: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let retainedMs = Number.NEGATIVE_INFINITY;

  const runNow = async (recent: RecentReports | undefined): Promise<FinishedRun> => {
    try {
      const finished = await runOnce(state, runPipeline, { last, recent });
      // At the end of a run, but not of each.
      if (!state.signal.aborted && state.clock.monotonicMs() - retainedMs >= state.settings.retention.everyMs) {
        retainedMs = state.clock.monotonicMs();
        const { deleted, more } = await deleteExpired(state.store, state.settings.retention, {
          cooldownMicros: longestOf(finished.run.targets) ?? 0n,
          // The next run waits for it; where there is none, nothing does.
          rowsMax: state.settings.mode === 'follow' ? expiredRowsMax : Number.MAX_SAFE_INTEGER,
          signal: state.signal,
        });
        if (more) retainedMs = Number.NEGATIVE_INFINITY;
        state.events.expiredDeleted(deleted);
      }
      last = finished;
      failure = undefined;
      return finished;
    } catch (error) {
      failure = error;
      state.events.runFailed(error, { logged: state.settings.mode === 'follow' });
      throw error;
    }
  };
  return {
    last: () => last,
    failure: () => failure,
    busy: () => waiting > 0,
    /** `recent`: look only at these reports; ignored when policies changed, or the clock was set. */
    async run(recent: RecentReports | undefined): Promise<FinishedRun> {
      waiting += 1;
      const run = queue.then(() => runNow(recent));
      queue = run.catch(() => undefined);
      try {
        return await run;
      } finally {
        waiting -= 1;
      }
    },
    async settled(): Promise<void> {
      await queue;
    },
  };
}

async function runOnce(
  state: ServiceState,
  runPipeline: (run: Run, store: RunStore) => Promise<void>,
  { last, ...request }: { readonly last: FinishedRun | undefined; readonly recent: RecentReports | undefined },
): Promise<FinishedRun> {
  const { events } = state;
  const startedMs = state.clock.monotonicMs();
  events.statusChanged(SERVICE_STATUS.starting);
  const { stepMicros, beginning } = await readBeginning(state);
  if (stepMicros !== 0n) events.clockStepped(stepMicros);
  // Before the content, so that of several things that are away the same one is named as by the reference.
  await state.disabledRules.get();
  events.statusChanged(SERVICE_STATUS.fetchingContent);
  const content = await state.content.get();
  events.contentLoaded(Object.keys(content.rules).length, state.content.ageMs() ?? 0);
  const targets = await prepareTargets(state, { content, beginning });
  const cooldowns = storedCooldowns(state, targets);
  if (JSON.stringify(cooldowns) !== JSON.stringify(last?.storedCooldowns))
    await storeCooldowns(state.database, cooldowns);
  const unchanged = targets.every(({ policy }, index) => last?.run.targets[index]?.policy.hash === policy.hash);
  // What was stored before and after a step of the clock is in no order of time.
  const recent = unchanged && stepMicros === 0n ? request.recent : undefined;
  const { run, store, ownersCount } = beginRun(state, { content, targets, beginning, recent });
  if (stepMicros < 0n || last === undefined) {
    const backMicros = await setBackWhatLiesAhead(state.store, {
      stepMicros,
      leaseMs: state.settings.delivery.leaseMs,
    });
    if (stepMicros === 0n && backMicros > 0n) events.clockStepped(-backMicros);
  }
  events.statusChanged(SERVICE_STATUS.readingReported);
  const rules = await run.disabledRules();
  if (rules !== last?.followedRules) await followDisabledRules(state.store, rules);
  if (beginning.acknowledgements) await followAcknowledgements(state.store);
  // It costs a look-up per `sent` row of the cooldown; between such runs it goes on beside them.
  const longest = longestOf(targets);
  if (recent === undefined && longest !== undefined) {
    events.sentRowsRemoved(await forgetRemovedRows(state.store, longest));
  }
  for (const { target } of targets) {
    if (!beginning.wanted.has(target.eventTargetId)) continue;
    const context = { now: state.time.now(), uuid: () => state.clock.uuid() };
    for (const { old, next, error } of await reissueRequested(state.store, target, context)) {
      if (next === undefined) events.notificationNotReissued(target, old.id, error);
      else events.notificationReissued(target, old.id, next.id);
    }
  }
  if (recent === undefined) await sayContested(state, ownersCount);
  events.statusChanged(SERVICE_STATUS.processingClusters);
  const processingMs = state.clock.monotonicMs();
  await runPipeline(run, store);
  if (recent === undefined)
    events.clustersStale(await markStaleClusters(state.store, microsOfMs(state.settings.issues.staleAfterMs)));
  events.operationTimed('process_clusters', processingMs);
  await gaugeOutbox(state);
  const summary = finishTally(run.tally, state.clock.monotonicMs() - startedMs);
  events.runFinished(summary);
  events.statusChanged(SERVICE_STATUS.inactive);
  return { summary, run, store, followedRules: rules, storedCooldowns: cooldowns };
}

/** Counting takes the longer the more waits; it gets this share of the time. */
const gaugingShare = 0.02;

/** Counts what waits, unless it was counted a moment ago: runs may follow each other within milliseconds. */
export async function gaugeOutbox({
  store,
  clock,
  events,
  targets,
  gauging,
}: Pick<ServiceState, 'store' | 'clock' | 'targets' | 'gauging'> & {
  readonly events: Pick<Events, 'outboxGauged'>;
}): Promise<void> {
  const startedMs = clock.monotonicMs();
  if (startedMs < gauging.notBeforeMs) return;
  gauging.waiting = await readGauges(
    store,
    targets.map(({ target }) => target),
  );
  events.outboxGauged(gauging.waiting);
  const endedMs = clock.monotonicMs();
  gauging.notBeforeMs = endedMs + (endedMs - startedMs) / gaugingShare;
}

/** A text that means no cooldown is none for the others too. */
function storedCooldowns(state: ServiceState, targets: readonly RunTarget[]): readonly TargetCooldown[] {
  return targets.map(({ target, policy }, index) => ({
    eventTargetId: target.eventTargetId,
    cooldown: policy.cooldownMicros === undefined ? undefined : state.targets[index]!.policy.cooldown,
  }));
}

/** Once per cluster: whoever reports it last is believed, or is not, and neither must happen in silence. */
async function sayContested({ contested, events, database }: ServiceState, ownersCount: boolean): Promise<void> {
  for (const { cluster, orgIds } of await readContestedClusters(database, contestedClustersMax)) {
    if (contested.has(cluster) || contested.size >= contestedClustersMax) continue;
    contested.add(cluster);
    events.clusterContested(cluster, orgIds, ownersCount);
  }
}
