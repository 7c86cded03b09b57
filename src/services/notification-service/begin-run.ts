/**
 * What a run begins with: what lasts from run to run, the targets' settings made ready for deciding, and the run itself. Only reads. Used by
 * `run-once.ts` and `preview.ts`, and to build the service.
 */
import { type RuleContentDirectory, totalRiskOf } from '../../contracts/rule-content.ts';
import {
  type PlatformTargetName,
  TABLE_NEW_REPORTS,
  TABLE_READ_ERRORS,
  TABLE_REPORTED,
} from '../../contracts/tables.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { type Kept, keepLastGood } from '../../platform/clock/keep-last-good.ts';
import type { Database } from '../../platform/database/database.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import { type PackTexts, withPackTexts } from '../../rules/packs/pack-texts.ts';
import type { NotificationServiceSettings, Receiver, TargetPolicySettings } from './config.ts';
import {
  type DisabledRules,
  type DisabledRulesSource,
  isClusterAllowed,
  NOTHING_DISABLED,
} from './decide/disabled-rules.ts';
import { type CompiledPolicy, compilePolicy, dueClusterOf, measureCooldown, preparePolicy } from './policy.ts';
import type { ContentSource, Target } from './ports.ts';
import {
  createTally,
  createTargetHealth,
  openRunStore,
  type Run,
  type RunStore,
  type RunTarget,
  type TargetHealth,
} from './run.ts';
import { type Beginning, readBeginning as readBeginningOf } from './store/beginning.ts';
import { countWaiting, type readGauges } from './store/outbox.ts';
import type { RecentReports } from './store/reports.ts';
import type { StoreAccess } from './store/transact.ts';
import type { Events } from './telemetry.ts';
import { createTimeSource, microsOfMs, type TimeSource, timestampText } from './timestamps.ts';

/** Last known disabled rules are used this long while their database is away; after that nothing is decided or sent. */
const disabledRulesAgeMsMax = 3_600_000;

/** A cooldown of months is as long as the months before now, so it is measured again now and then. */
const cooldownAgeMsMax = 60_000;

/** What lasts from run to run. */
export interface ServiceState {
  readonly settings: NotificationServiceSettings;
  readonly database: Database;
  readonly clock: Clock;
  readonly time: TimeSource;
  readonly events: Events;
  readonly store: StoreAccess;
  readonly content: Kept<RuleContentDirectory>;
  readonly disabledRules: Kept<DisabledRules>;
  readonly targets: readonly {
    readonly target: Target;
    readonly policy: CompiledPolicy;
    readonly health: TargetHealth;
  }[];
  /** Lengths of cooldowns by their texts, and when they were measured. */
  readonly cooldowns: Map<string, { readonly measuredMs: number; readonly micros: bigint | undefined }>;
  /** Clusters of which it was said that several organizations report them. */
  readonly contested: Set<string>;
  /** What waited when it was counted last, and when it may be counted again. */
  readonly gauging: { notBeforeMs: number; waiting: Awaited<ReturnType<typeof readGauges>> };
  readonly signal: AbortSignal;
}

export interface NotificationServiceDependencies {
  /** The notification database at version 8, with the right to add tables to schema `ccx`. */
  readonly database: Database;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly content: ContentSource;
  /** Absent: there are no rule packs. */
  readonly packs?: PackTexts | undefined;
  /** The enabled targets of the platform, one of each at most. */
  readonly targets: readonly Target[];
  /** Of the operator's own; absent: none. */
  readonly receivers?: readonly Receiver[] | undefined;
  /** Absent: no rule is treated as disabled. */
  readonly disabledRules?: DisabledRulesSource | undefined;
}

export function serviceState(
  settings: NotificationServiceSettings,
  { database, clock, content, packs, targets, disabledRules }: NotificationServiceDependencies,
  { events, signal }: Pick<ServiceState, 'events' | 'signal'>,
): ServiceState {
  const time = createTimeSource(clock, settings.timeSource);
  return {
    ...{ settings, database, clock, events, time, signal },
    store: { database, clock, nowMicros: time.nowMicros },
    targets: compilePolicies(settings, targets, events),
    cooldowns: new Map(),
    contested: new Set(),
    gauging: { notBeforeMs: Number.NEGATIVE_INFINITY, waiting: [] },
    content: withPackTexts(
      keepLastGood({
        clock,
        load: async () => {
          const startedMs = clock.monotonicMs();
          const loaded = await content.load();
          events.operationTimed('fetch_content', startedMs);
          return loaded;
        },
        refreshMs: settings.contentRefreshMs,
        onFailure: events.contentUnavailable,
      }),
      packs,
    ),
    disabledRules: keepLastGood({
      clock,
      load: async () => (await disabledRules?.load()) ?? NOTHING_DISABLED,
      refreshMs: settings.disabledRulesRefreshMs,
      ageMsMax: disabledRulesAgeMsMax,
      onFailure: events.disabledRulesUnavailable,
    }),
  };
}

/** With its receivers, which have numbers only once the database was asked for them. */
export function withReceivers(
  state: ServiceState,
  receivers: readonly Receiver[],
  numbers: ReadonlyMap<string, number>,
): ServiceState {
  const numbered = receivers.map(({ target, policy }) => ({
    target: { ...target, eventTargetId: numbers.get(target.name)! },
    ...compiled(policy, state.events),
  }));
  return { ...state, targets: [...state.targets, ...numbered] };
}

export function requireTarget(
  { targets, receivers = [] }: Pick<NotificationServiceDependencies, 'targets' | 'receivers'>,
  events: Events,
): void {
  if (targets.length + receivers.length === 0) throw noTarget();
  if (targets.length > 1) events.bothTargetsEnabled();
}

export function noTarget(): CcxError {
  return new CcxError('no target for notifications is enabled', {
    code: 'NO_TARGET',
    category: 'configuration',
    hint: 'set kafka_broker.enabled or service_log.enabled to true, or add [[receivers]]',
  });
}

function compilePolicies(
  settings: NotificationServiceSettings,
  targets: readonly Target[],
  events: Events,
): ServiceState['targets'] {
  return targets.map((target) => ({
    target,
    ...compiled(settings.policies[target.name as PlatformTargetName], events),
  }));
}

function compiled(settings: TargetPolicySettings, events: Events) {
  const policy = compilePolicy(settings);
  if (policy.filter.dropped.length > 0) events.filterTokensDropped(policy.section, policy.filter.dropped);
  return { policy, health: createTargetHealth() };
}

/** The writer owns these tables; without them every run would fail with a less clear error. */
export async function checkNotificationSchema(database: Database): Promise<void> {
  const { rows } = await database.query<{ missing: string }>(
    `SELECT name AS missing FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL`,
    [[TABLE_NEW_REPORTS, TABLE_REPORTED, TABLE_READ_ERRORS]],
  );
  if (rows.length === 0) return;
  throw new CcxError(`the notification database lacks ${rows.map(({ missing }) => missing).join(', ')}`, {
    code: 'SCHEMA_MISSING',
    category: 'storage',
    hint: 'bring it to version 8 with ccx db init or the notification writer (ccx-notification-writer --migrate latest, or ccx writer)',
  });
}

/** Asks the server what time it is, and what a run has to know; `stepMicros`: what its clock was set by since it was asked last. */
export async function readBeginning({ settings, database, clock, time, targets }: ServiceState) {
  let beginning: Beginning | undefined;
  const stepMicros = await time.synchronize(async () => {
    beginning = await readBeginningOf(database, {
      nowMicros: settings.timeSource === 'clock' ? clock.nowMicros() : undefined,
      eventTargetIds: targets.map(({ target }) => target.eventTargetId),
    });
    return beginning.now;
  });
  return { stepMicros, beginning: beginning! };
}

export async function prepareTargets(
  state: ServiceState,
  { content, beginning }: { readonly content: RuleContentDirectory; readonly beginning: Beginning },
): Promise<RunTarget[]> {
  const targets: RunTarget[] = [];
  for (const { target, policy, health } of state.targets) {
    const cooldownMicros = await cooldownOf(state, policy);
    const prepared = preparePolicy({ policy, target, content, clusters: state.settings.clusters, cooldownMicros });
    const context = { target, policy: prepared, events: state.events };
    targets.push({
      ...{ target, health, policy: prepared },
      dueMicros: await dueMoments(state, target, beginning),
      dueCluster: (report, decisions) => dueClusterOf(context, report, decisions),
    });
  }
  return targets;
}

async function cooldownOf({ database, clock, time, events, cooldowns }: ServiceState, policy: CompiledPolicy) {
  const key = `${policy.section} ${policy.cooldown}`;
  const known = cooldowns.get(key);
  const measuredMs = clock.monotonicMs();
  if (known !== undefined && measuredMs - known.measuredMs < cooldownAgeMsMax) return known.micros;
  const micros = await measureCooldown(database, policy, { nowText: timestampText(time.nowMicros()), events });
  cooldowns.set(key, { measuredMs, micros });
  return micros;
}

/** In a first run the messages past the cap become due in portions, so that a populated database does not flood its owners at once. */
async function dueMoments(state: ServiceState, target: Target, beginning: Beginning): Promise<() => bigint> {
  const { messagesMax, everyMs } = state.settings.firstRun;
  if (messagesMax === 0 || !beginning.neverNotified.has(target.eventTargetId)) return () => state.time.nowMicros();
  const startMicros = state.time.nowMicros();
  let given = await countWaiting(state.database, target.eventTargetId);
  return () => {
    const portion = Math.floor(given / messagesMax);
    given += 1;
    if (portion === 1 && given === messagesMax + 1) state.events.firstRunHeldBack(target, messagesMax);
    return portion === 0 ? state.time.nowMicros() : startMicros + microsOfMs(everyMs) * BigInt(portion);
  };
}

export function beginRun(
  state: ServiceState,
  how: {
    readonly content: RuleContentDirectory;
    readonly targets: readonly RunTarget[];
    readonly beginning: Beginning;
    readonly recent: RecentReports | undefined;
  },
): { readonly run: Run; readonly store: RunStore; readonly ownersCount: boolean } {
  const { requestIdsKept, ownersKnown, newestMicros, wanted, due } = how.beginning;
  const { settings, clock, time, events, signal } = state;
  const startedMicros = time.nowMicros();
  const targets = how.targets.map(({ target, policy }) => ({
    eventTargetId: target.eventTargetId,
    policyHash: policy.hash,
  }));
  const run: Run = {
    ...{ settings, clock, time, events, signal, startedMicros },
    id: clock.uuid(),
    tally: createTally(),
    waitsInLine: new Map(),
    inLine: new Set(
      how.targets.filter(
        ({ target: { eventTargetId }, policy: { sendResolved } }) =>
          how.recent === undefined || sendResolved || due.has(eventTargetId) || wanted.has(eventTargetId),
      ),
    ),
    newestStoredMicros: newestMicros,
    targets: how.targets,
    isClusterAllowed: (cluster) => isClusterAllowed(settings.clusters, cluster),
    totalRiskOf: ({ component, errorKey }) => totalRiskOf(how.content, component, errorKey),
    disabledRules: () => state.disabledRules.get(),
    recent: how.recent,
  };
  const ownersCount = settings.reportsOf === 'owner' && ownersKnown;
  return { run, ownersCount, store: openRunStore({ ...state.store, targets, ownersCount, requestIdsKept }) };
}
