/**
 * The notification service, put together: hops 9 to 12. Started by `ccx notifier`, by the all-in-one process and by tests; whoever starts it
 * brings the database, the targets and the content, and closes them afterwards.
 */

import { CcxError, errorCode, errorText } from '../../encoding/ccx-error.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import { sqlState } from '../../platform/database/database-error.ts';
import { probeReasons } from '../../platform/lifecycle/health.ts';
import {
  buildWithLifecycle,
  type Lifecycle,
  type Readiness,
  type RunningService,
} from '../../platform/lifecycle/lifecycle.ts';
import { longestCooldown, warningOf } from '../../platform/records/cooldowns.ts';
import { makeEventMonths } from '../../platform/records/issue-event-months.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import { createAlertEvents } from './alerts/alert-events.ts';
import { type AlertKeeper, createAlertKeeper } from './alerts/keep-alerts.ts';
import { createAuditEvents } from './audit-events.ts';
import { startAuditing } from './auditor.ts';
import {
  checkNotificationSchema,
  type NotificationServiceDependencies,
  noTarget,
  requireTarget,
  type ServiceState,
  serviceState,
  withReceivers,
} from './begin-run.ts';
import {
  type NotificationServiceSettings,
  notificationServiceOptions,
  notificationServiceSettings,
  type Receiver,
} from './config.ts';
import { follow } from './follow.ts';
import { createMetrics } from './metrics.ts';
import { dependencySettings, openNotificationDependencies } from './open-dependencies.ts';
import { runPipeline } from './pipeline.ts';
import { compilePolicy, measureCooldown } from './policy.ts';
import type { Target } from './ports.ts';
import { type Previewed, type PreviewRequest, type PreviewSummary, previewRun } from './preview.ts';
import { startPushing } from './push-metrics.ts';
import { receiverEntry } from './receivers/receiver-entry.ts';
import { receiverSettings } from './receivers/receiver-settings.ts';
import type { RunSummary } from './run.ts';
import { createRunner, type Runner } from './run-once.ts';
import {
  isHeld,
  numberReceivers,
  readHeldNames,
  readPause,
  storeTargetNames,
  withdrawRemoved,
} from './store/targets.ts';
import { createEvents, type Events } from './telemetry.ts';
import { isoText, serverMicros, timestampText } from './timestamps.ts';

export interface NotificationService extends RunningService {
  /** One run; in follow mode between two cycles. Rejects when it could not be done. */
  runOnce(): Promise<RunSummary>;
  /** What the next run would do, with these changes of its settings; nothing is changed. */
  preview(request: PreviewRequest, show: (previewed: Previewed) => Promise<void> | void): Promise<PreviewSummary>;
  /** Of the last run that ended well. */
  readonly summary: RunSummary | undefined;
}

/**
 * Brings the service's tables up and checks what cannot work: `NO_TARGET`, `EVENT_FILTER_INVALID`, a database or a target that cannot be
 * used. Following, a target that is only away for now is waited for.
 */
export function startNotificationService(
  settings: NotificationServiceSettings,
  dependencies: NotificationServiceDependencies,
): Promise<NotificationService> {
  return buildWithLifecycle(dependencies.clock, (lifecycle) => build(settings, dependencies, lifecycle));
}

async function build(
  settings: NotificationServiceSettings,
  dependencies: NotificationServiceDependencies,
  lifecycle: Lifecycle,
): Promise<NotificationService> {
  const { telemetry, clock } = dependencies;
  const stopping = new AbortController();
  const metrics = createMetrics(telemetry.registry, settings.metrics);
  const events = createEvents({ telemetry, clock, metrics });
  const { targets, receivers = [] } = dependencies;
  requireTarget(dependencies, events);
  await checkTargets(settings, targets, events);
  const platform = serviceState(settings, dependencies, { events, signal: stopping.signal });
  await prepare(platform);
  const state = withReceivers(platform, receivers, await settleReceivers(platform, receivers));
  await measureCooldowns(state);
  const runner = createRunner(state, runPipeline);
  const { push } = settings.metrics;
  const pusher =
    push === undefined
      ? undefined
      : startPushing(push, { registry: telemetry.registry, clock, events, signal: stopping.signal });
  if (pusher !== undefined) lifecycle.defer('metrics push', () => pusher.stop());
  const following = settings.mode === 'follow' ? await follow(state, runner.run) : undefined;
  const auditing = beginAuditing(state, runner, telemetry);
  const keepers = beginAlerting(state, telemetry);
  lifecycle.defer('runs', async () => {
    stopping.abort();
    await following?.ended;
    await auditing?.ended;
    await Promise.all(keepers.map((keeper) => keeper.ended()));
    await runner.settled();
    await Promise.all(state.targets.map(({ health }) => health.beside));
  });

  return {
    name: 'notification-service',
    get summary() {
      return runner.last()?.summary;
    },
    async runOnce() {
      const { summary } = await runner.run(undefined);
      if (settings.mode === 'once') for (const keeper of keepers) await keeper.round();
      if (settings.mode === 'once') await pusher?.final();
      return summary;
    },
    preview: (request, show) => previewRun(state, request, show),
    readiness: () => readiness(state, runner, keepers),
    state: () => describeNow(state, runner),
    async idle() {
      const store = runner.last()?.store;
      if (store === undefined || runner.busy() || runner.failure() !== undefined || following?.hinted() === true)
        return false;
      return !(await store.anyMessageWaiting()) && !(await store.anyReportDue());
    },
    async stop() {
      const { failed } = await lifecycle.stop();
      for (const { name, error } of failed) events.stopFailed(name, error);
    },
  };
}

/** Beside the runs of a service that follows; a cron job ends with its run. */
function beginAuditing(state: ServiceState, runner: Runner, telemetry: Telemetry) {
  const { settings, database, clock, signal, time, targets } = state;
  if (settings.mode === 'once' || settings.audit.everyMs === 0) return undefined;
  return startAuditing(
    { ...settings.audit, retryWindowMs: settings.delivery.retryWindowMs },
    {
      ...{ database, clock, signal, nowMicros: time.nowMicros },
      events: createAuditEvents(telemetry, clock),
      decidingFor: targets.map(({ target }) => target.eventTargetId),
      ownersCount: settings.reportsOf === 'owner',
      hasRun: () => runner.last() !== undefined,
    },
  );
}

/** Beside the runs of a service that follows; a one-shot run is followed by one round. */
function beginAlerting(state: ServiceState, telemetry: Telemetry): readonly AlertKeeper[] {
  // Its metrics are there with no such receiver, too: a dashboard finds every name.
  const events = createAlertEvents(telemetry, state.clock);
  const receivers = state.targets.filter(({ target }) => target.alerts !== undefined);
  const keepers = receivers.map((receiver) => createAlertKeeper(state, receiver, events));
  if (state.settings.mode === 'follow') for (const keeper of keepers) keeper.start();
  return keepers;
}

/**
 * Of several things that a cron job lacks, its exit code names the first in the reference's order: target, filter, disabled rules, content,
 * database. A service that follows has only the database to wait for here; the others it asks for in each run.
 */
async function prepare(state: ServiceState): Promise<void> {
  if (state.settings.mode === 'once') {
    await state.disabledRules.get();
    await state.content.get();
  }
  await prepareStorage(state);
  await checkMaxAge(state);
}

/** In a run a wrong cooldown would only be a failed run, again and again. */
async function measureCooldowns(state: ServiceState): Promise<void> {
  const { settings, database, events, time } = state;
  if (settings.mode === 'once') return;
  await time.synchronize(() => serverMicros(database));
  for (const { policy } of state.targets)
    await measureCooldown(database, policy, { nowText: timestampText(time.nowMicros()), events });
}

/** Their numbers by name; what waits for others that were configured once is withdrawn. */
async function settleReceivers(
  { store, events }: ServiceState,
  receivers: readonly Receiver[],
): Promise<ReadonlyMap<string, number>> {
  const names = receivers.map(({ target }) => target.name);
  const numbers = await numberReceivers(store, names);
  for (const removed of await withdrawRemoved(store, names)) events.receiverRemoved(removed);
  return numbers;
}

async function prepareStorage({ database, events, time }: ServiceState): Promise<void> {
  try {
    await database.check();
    await checkNotificationSchema(database);
    for (const set of ['notifier', 'records', 'trace']) {
      const { warning } = await migrateCcx(database, set);
      if (warning !== undefined) events.schemaAhead(warning);
    }
    await storeTargetNames(database);
    await makeEventMonths(database, time.nowMicros());
  } catch (error) {
    events.storageUnusable();
    throw error;
  }
}

/**
 * Said once, at the start: an age that is shorter than a cooldown does not do to `reported` what it seems to ask for. One that is none, or
 * negative, is refused: it would delete what has just arrived.
 */
async function checkMaxAge({ settings, database, targets, events }: ServiceState): Promise<void> {
  const { reportsMaxAge } = settings.retention;
  if (reportsMaxAge === '') return;
  const own = targets.map(({ policy }) => policy.cooldown);
  const cooldown = await longestCooldown(database, own);
  try {
    const { rows } = await database.query<{ negative: boolean }>(`SELECT $1::interval < '0' AS negative`, [
      reportsMaxAge,
    ]);
    if (rows[0]?.negative === true) throw wrongMaxAge(`${JSON.stringify(reportsMaxAge)} is negative`);
    const warning = await warningOf(database, reportsMaxAge, cooldown ?? '0');
    if (warning !== undefined) events.retentionHeldBack(`cleaner.max_age: ${warning}`);
  } catch (cause) {
    if (!(sqlState(cause) ?? '').startsWith('22')) throw cause;
    throw wrongMaxAge(`${JSON.stringify(reportsMaxAge)} is not an interval`, cause);
  }
}

function wrongMaxAge(text: string, cause?: unknown): CcxError {
  return new CcxError(`the age ${text}`, {
    code: 'MAX_AGE_INVALID',
    category: 'configuration',
    cause,
    hint: 'change cleaner.max_age to a PostgreSQL interval such as "90 days"',
  });
}

async function checkTargets(
  settings: NotificationServiceSettings,
  targets: readonly Target[],
  events: Events,
): Promise<void> {
  for (const target of targets) {
    try {
      await target.check();
    } catch (error) {
      // A broker that is away comes back; wrong credentials or addresses do not mend themselves.
      const comesBack = settings.mode === 'follow' && error instanceof CcxError && error.retryable;
      // A cron job has nothing else to wait for: what cannot be sent stays pending for its next run.
      const waits = comesBack || (settings.mode === 'once' && errorCode(error) === 'BUS_TOPIC_UNKNOWN');
      events.targetUnusable(target, error, { logged: waits });
      if (!waits) throw error;
    }
  }
}

async function readiness(
  { database, clock, settings, store, targets }: ServiceState,
  runner: Runner,
  keepers: readonly AlertKeeper[],
): Promise<Readiness> {
  const reasons = await probeReasons({ database: () => database.check() }, clock);
  const failure = runner.failure();
  if (failure !== undefined) reasons.push(`the last run failed: ${errorText(failure)}`);
  else if (settings.mode === 'follow' && runner.last() === undefined) reasons.push('no run has ended yet');
  const ready = reasons.length === 0;
  const held = ready
    ? await readHeldNames(
        store,
        targets.map(({ target }) => target.eventTargetId),
      )
    : [];
  const notes = [
    ...held.map((name) => `receiver ${name} is held until ccx receivers resume ${name}`),
    ...(ready ? keepers.flatMap((keeper) => keeper.failures()) : []),
  ];
  return { ready, reasons, ...(notes.length === 0 ? {} : { notes }) };
}

/** Of settings that are wrong by themselves: throws, with nothing opened, what a start would reject with. */
function checkSettings(sources: Parameters<typeof dependencySettings>[0]): void {
  dependencySettings(sources);
  const { config } = sources.loaded;
  const { policies } = notificationServiceSettings(config, 'follow');
  const enabled = [
    ...(config['kafka_broker.enabled'] ? [policies['notification-backend']] : []),
    ...(config['service_log.enabled'] ? [policies['service-log']] : []),
    ...receiverSettings(sources.loaded.lists.receivers).map(({ policy }) => policy),
  ];
  if (enabled.length === 0) throw noTarget();
  enabled.forEach(compilePolicy);
}

/** For `ccx roles`: what waits for each target, which are paused and why, and how the last run went. */
async function describeNow({ store, targets, gauging }: ServiceState, runner: Runner) {
  const failure = runner.failure();
  return {
    targets: await Promise.all(
      targets.map(async ({ target: { name, eventTargetId } }) => {
        const waiting = gauging.waiting.find(({ target }) => target === name);
        const { counts: messages = [], oldestSeconds = 0 } = waiting ?? {};
        const pause = await readPause(store, eventTargetId);
        if (pause === undefined) return { name, messages, oldestSeconds };
        const { untilMicros, code, text } = pause;
        const held = isHeld(pause) ? { heldUntilResumed: true } : {};
        return { name, messages, oldestSeconds, pausedUntil: isoText(untilMicros), ...held, code, text };
      }),
    ),
    lastRun: runner.last()?.summary ?? null,
    ...(failure === undefined ? {} : { lastRunFailed: errorText(failure) }),
  };
}

/** What a process that runs this service among others needs of it besides `startNotificationService`. */
export const notificationServiceRole = {
  options: notificationServiceOptions,
  settings: notificationServiceSettings,
  checkSettings,
  openDependencies: openNotificationDependencies,
  receiverEntry,
} as const;
