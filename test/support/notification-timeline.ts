/**
 * A notification service on a fresh database with targets that do as they are told and a clock that a test moves: `at 0 a report, one
 * notification; an hour later the same report, none`. Used by the notification service's `*.pg.test.ts`.
 */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { TargetName } from '../../src/contracts/tables.ts';
import { CcxError } from '../../src/encoding/ccx-error.ts';
import type { ManualClock } from '../../src/platform/clock/manual-clock.ts';
import type { Connection, Database } from '../../src/platform/database/database.ts';
import {
  addAcknowledgement,
  removeAcknowledgement,
  type WantedAcknowledgement,
} from '../../src/platform/records/acknowledgements.ts';
import {
  BUSINESS_EVENT_CHANNEL,
  type BusinessEvent,
  createSilentTelemetry,
  type Telemetry,
} from '../../src/platform/telemetry/telemetry.ts';
import type {
  NotificationServiceSettings,
  Receiver,
  TargetPolicySettings,
} from '../../src/services/notification-service/config.ts';
import {
  collectDisabledRules,
  NOTHING_DISABLED,
} from '../../src/services/notification-service/decide/disabled-rules.ts';
import type {
  DeliveryAttempt,
  DeliveryResult,
  DueCluster,
  OutgoingNotification,
  Target,
} from '../../src/services/notification-service/ports.ts';
import type { RunSummary } from '../../src/services/notification-service/run.ts';
import { type NotificationService, startNotificationService } from '../../src/services/notification-service/service.ts';
import { contentOf, defaultRisks, type Risks } from './notification-content.ts';
import { createTestDatabase } from './postgres.ts';
import { createWatchedClock, type WatchedClock } from './watched-clock.ts';

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

export function reportOf(...errorKeys: string[]): string {
  return JSON.stringify({
    reports: errorKeys.map((key) => ({
      rule_id: `test_rule|${key}`,
      component: 'ccx_rules_ocp.external.rules.test_rule.report',
      type: 'rule',
      key,
      details: { of: key },
    })),
  });
}

export interface FakeTarget extends Target {
  /** Every attempt, in order. */
  readonly attempts: DeliveryAttempt[];
  /** Messages that arrived, repetitions included. */
  readonly arrived: OutgoingNotification[];
  /** Error keys of what arrived since the last call. */
  told(): string[];
  /** Decides the result of each attempt; what is `delivered` or `unknown` has arrived. */
  answer: (attempt: DeliveryAttempt) => DeliveryResult | Promise<DeliveryResult>;
  /** Replaces composing where it is set. */
  composing: ((cluster: DueCluster) => Promise<void>) | undefined;
  /** May be replaced. */
  reissue: Target['reissue'];
  isOver: Target['isOver'];
  isStandIn: boolean;
}

export function createFakeTarget(name: TargetName): FakeTarget {
  const attempts: DeliveryAttempt[] = [];
  const arrived: OutgoingNotification[] = [];
  let toldUntil = 0;
  const target: FakeTarget = {
    name,
    eventTargetId: name === 'service-log' ? 2 : 1,
    isStandIn: false,
    attempts,
    arrived,
    answer: () => ({ kind: 'delivered', detail: 'accepted' }),
    composing: undefined,
    told() {
      const keys = arrived.slice(toldUntil).flatMap(({ issues }) => issues.map(({ errorKey }) => errorKey));
      toldUntil = arrived.length;
      return keys.sort();
    },
    hasRecipient: () => true,
    async compose(cluster, context) {
      await target.composing?.(cluster);
      const message = (issues: DueCluster['issues']): OutgoingNotification => {
        const id = context.uuid();
        const keys = issues.map(({ type, component, errorKey }) => ({ type, component, errorKey }));
        const body = JSON.stringify({
          id,
          timestamp: context.now.toISOString(),
          issues: issues.map(({ errorKey, details }) => [errorKey, details]),
        });
        return { id, target: name, cluster: cluster.cluster, issues: keys, body, headers: { 'rh-message-id': id } };
      };
      return name === 'service-log' ? cluster.issues.map((issue) => message([issue])) : [message(cluster.issues)];
    },
    ...(name === 'service-log'
      ? {
          composeResolved({ cluster, type, component, errorKey, reports }, context) {
            const id = context.uuid();
            const body = JSON.stringify({ id, resolved: errorKey, reports });
            return { id, target: name, cluster, issues: [{ type, component, errorKey }], body, headers: {} };
          },
        }
      : {}),
    reissue(notification, context) {
      const id = context.uuid();
      return {
        ...notification,
        id,
        body: notification.body
          .replace(notification.id, id)
          .replace(/"timestamp":"[^"]*"/, `"timestamp":"${context.now.toISOString()}"`),
        headers: { 'rh-message-id': id },
      };
    },
    async deliver(attempt) {
      attempts.push(attempt);
      const result = await target.answer(attempt);
      if (result.kind === 'delivered' || result.kind === 'unknown') arrived.push(attempt.notification);
      return result;
    },
    // As the bus takes them; Service Log takes one by one.
    ...(name === 'service-log'
      ? {}
      : { deliverAll: (all: readonly DeliveryAttempt[]) => Promise.all(all.map((one) => target.deliver(one))) }),
    check: async () => undefined,
    isOver: async () => false,
    close: async () => undefined,
  };
  return target;
}

export const failure = (code = 'TEST_FAILURE') =>
  new CcxError('as the test wants it', { code, category: 'delivery', retryable: true });

type PolicyChanges = Partial<TargetPolicySettings>;

/** Of both targets, with what a test changes of the backend's and of Service Log's. */
export function policiesOf(backend: PolicyChanges = {}, serviceLog: PolicyChanges = {}) {
  return {
    'notification-backend': policyOf('kafka_broker', backend),
    'service-log': policyOf('service_log', serviceLog),
  };
}

function policyOf(section: string, changes: PolicyChanges): TargetPolicySettings {
  return {
    section,
    cooldown: '24h',
    negativeCooldown: 'refused',
    eventFilter: 'totalRisk >= totalRiskThreshold',
    likelihoodThreshold: 0,
    impactThreshold: 0,
    severityThreshold: 0,
    totalRiskThreshold: 2,
    tagFilterEnabled: false,
    tags: [],
    clusterCap: 0,
    sendResolved: false,
    ...changes,
  };
}

export function testSettings(changes: Partial<NotificationServiceSettings> = {}): NotificationServiceSettings {
  return {
    mode: 'once',
    timeSource: 'clock',
    policies: policiesOf(),
    clusters: { allowOnly: false, allowed: new Set(), block: false, blocked: new Set() },
    reportsOf: 'owner',
    contentRefreshMs: 0,
    disabledRulesRefreshMs: 0,
    follow: { pollMs: 10_000, minGapMs: 0, fullSweepMs: hourMs },
    delivery: {
      concurrency: 4,
      claimMax: 100,
      deadlineMs: 0,
      runDeadlineMs: hourMs,
      leaseMs: 120_000,
      retryWindowMs: 3 * dayMs,
      backoffMinMs: 1_000,
      backoffMaxMs: 60_000,
    },
    firstRun: { messagesMax: 0, everyMs: hourMs },
    issues: { resolvedAfter: 2, staleAfterMs: 7 * dayMs },
    audit: { everyMs: 0, overdueMs: 2 * hourMs },
    metrics: { namespace: 'test', subsystem: '' },
    retention: {
      outboxMs: 30 * dayMs,
      issuesMs: 400 * dayMs,
      eventsMs: 400 * dayMs,
      reportsMaxAge: '',
      everyMs: hourMs,
    },
    ...changes,
  };
}

export interface ReportedSummary {
  readonly cluster: string;
  readonly state: number;
  readonly target: number;
  readonly notifiedAt: string;
  readonly errorLog: string;
}

export interface Timeline {
  readonly database: Database;
  readonly clock: WatchedClock;
  readonly kafka: FakeTarget;
  readonly serviceLog: FakeTarget;
  /** Statements that the service has sent, transactions' BEGIN and COMMIT not counted. */
  readonly statements: { count: number };
  /** So many next commits are done, and their answer is lost. */
  readonly faults: { commitsLost: number };
  /** A report as the writer stores it, at the clock's now; answers its `updated_at`. */
  store(
    report: string,
    where?: { readonly cluster?: string; readonly orgId?: number; readonly at?: string },
  ): Promise<string>;
  /** One run of a service of its own, as cron does it. */
  run(): Promise<RunSummary>;
  /** Another service on the same database, which lives until `end`; for these of the targets, else for all. */
  another(
    changes?: Partial<NotificationServiceSettings>,
    telemetry?: Telemetry,
    only?: readonly TargetName[],
  ): Promise<NotificationService>;
  /** From the next run on. */
  configure(changes: Partial<NotificationServiceSettings>): void;
  /** From the next service on. */
  setReceivers(receivers: readonly Receiver[]): void;
  setRisks(risks: Risks): void;
  /** Lets the content source fail, and no content be kept from before. */
  failContent(fails: boolean): void;
  disable(rows: Parameters<typeof collectDisabledRules>): void;
  /** By `ada`, at the clock's now, `test_rule|CRITICAL` of the test's cluster unless said otherwise; answers its id. */
  acknowledge(changes?: Partial<WantedAcknowledgement>): Promise<string>;
  /** Ends what `acknowledge` has made, by its id. */
  unacknowledge(id: string): Promise<void>;
  /** A row of `reported` that somebody else wrote. */
  storeSent(
    report: string,
    row?: { readonly cluster?: string; readonly orgId?: number; readonly target?: number; readonly hoursAgo?: number },
  ): Promise<void>;
  reported(): Promise<ReportedSummary[]>;
  ledger(): Promise<
    {
      readonly key: string;
      readonly target: number;
      readonly state: string;
      readonly reason: string;
      readonly closed: boolean;
    }[]
  >;
  outboxStates(): Promise<Record<string, number>>;
  end(): Promise<void>;
}

export const testCluster = '5d5892d3-1f74-4ccf-91af-548dfc9767aa';
export const testOrg = 11_789_772;

export interface TimelineOptions {
  readonly targets?: readonly TargetName[];
  readonly settings?: Partial<NotificationServiceSettings>;
  /** Real ones, or made by `createFakeReceiver`. */
  readonly receivers?: readonly Receiver[];
}

/** A timeline for the time of one test. */
export async function withTimeline(options: TimelineOptions, check: (line: Timeline) => Promise<void>): Promise<void> {
  const line = await createTimeline(options);
  try {
    await check(line);
  } finally {
    await line.end();
  }
}

export async function createTimeline(options: TimelineOptions = {}): Promise<Timeline> {
  const { database, drop } = await createTestDatabase({ migrated: true, sets: ['notifier', 'records', 'trace'] });
  const clock = createWatchedClock();
  const kafka = createFakeTarget('notification-backend');
  const serviceLog = createFakeTarget('service-log');
  const names = options.targets ?? ['notification-backend'];
  const targets = [kafka, serviceLog].filter(({ name }) => names.includes(name));
  const statements = { count: 0 };
  const faults = { commitsLost: 0 };
  let settings = testSettings(options.settings);
  let content = contentOf(defaultRisks);
  let disabled = NOTHING_DISABLED;
  let contentFails = false;
  const living: NotificationService[] = [];
  let receivers = options.receivers ?? [];

  const another = async (
    changes: Partial<NotificationServiceSettings> = {},
    telemetry = createSilentTelemetry(),
    only = names,
  ) => {
    const service = await startNotificationService(
      { ...settings, ...changes },
      {
        database: watched(database, statements, faults),
        telemetry,
        clock,
        content: {
          load: async () => {
            if (contentFails) throw failure('CONTENT_UNAVAILABLE');
            return content;
          },
        },
        targets: targets.filter(({ name }) => only.includes(name)),
        receivers,
        disabledRules: { load: async () => disabled },
      },
    );
    living.push(service);
    return service;
  };
  return {
    ...{ database, clock, kafka, serviceLog, statements, faults, another },
    async store(report, where = {}) {
      const at = where.at ?? timestampOf(clock);
      await database.query(
        'INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at) VALUES ($1, 7, $2, $3, $4::timestamp)',
        [where.orgId ?? testOrg, where.cluster ?? testCluster, report, at],
      );
      return at;
    },
    async run() {
      const service = await another();
      try {
        return await service.runOnce();
      } finally {
        await service.stop();
      }
    },
    configure(changes) {
      settings = { ...settings, ...changes };
    },
    setReceivers(next) {
      receivers = next;
    },
    setRisks(risks) {
      content = contentOf(risks);
    },
    failContent(fails) {
      contentFails = fails;
    },
    disable(rows) {
      disabled = collectDisabledRules(...rows);
    },
    async acknowledge(changes = {}) {
      const wanted: WantedAcknowledgement = {
        ...{ orgId: testOrg, cluster: testCluster, errorKey: 'CRITICAL' },
        component: 'ccx_rules_ocp.external.rules.test_rule.report',
        ...{ until: null, untilResolved: false, justification: '' },
        ...changes,
      };
      const byWhom = { actor: 'ada', origin: 'test' };
      const { acknowledgement } = await addAcknowledgement(database, wanted, { byWhom, at: timestampOf(clock) });
      return acknowledgement.id;
    },
    async unacknowledge(id) {
      await removeAcknowledgement(database, id, { byWhom: { actor: 'ben', origin: 'test' }, at: timestampOf(clock) });
    },
    async storeSent(report, row = {}) {
      const at = new Date(clock.now().getTime() - (row.hoursAgo ?? 1) * hourMs).toISOString();
      await database.query(
        `INSERT INTO reported (org_id, account_number, cluster, notification_type, state, report, updated_at, notified_at, error_log, event_type_id)
         VALUES ($1, 7, $2, 1, 1, $3, $4::timestamptz AT TIME ZONE 'UTC', $4::timestamptz AT TIME ZONE 'UTC', '', $5)`,
        [row.orgId ?? testOrg, row.cluster ?? testCluster, report, at, row.target ?? 1],
      );
    },
    async reported() {
      const { rows } = await database.query<ReportedSummary>(
        `SELECT rtrim(cluster) AS cluster, state, event_type_id AS target, notified_at AS "notifiedAt", error_log AS "errorLog"
           FROM reported ORDER BY notified_at, event_type_id`,
      );
      return rows;
    },
    async ledger() {
      const { rows } = await database.query<{
        key: string;
        target: number;
        state: string;
        reason: string;
        closed: boolean;
      }>(
        `SELECT error_key AS key, event_type_id AS target, state, last_reason AS reason, resolved_at IS NOT NULL AS closed
           FROM ccx.notification_ledger ORDER BY error_key, event_type_id`,
      );
      return rows;
    },
    async outboxStates() {
      const { rows } = await database.query<{ state: string; count: number }>(
        'SELECT state, count(*)::int AS count FROM ccx.notification_outbox GROUP BY state ORDER BY state',
      );
      return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
    },
    async end() {
      for (const service of living) await service.stop();
      await drop();
    },
  };
}

/** `2026-11-21 16:00:00.000001`: each call a microsecond later, as the writer does it. */
function timestampOf(clock: ManualClock): string {
  const micros = clock.nowMicros();
  const milliseconds = new Date(Number(micros / 1000n)).toISOString().replace('T', ' ').slice(0, -1);
  return `${milliseconds}${String(micros % 1000n).padStart(3, '0')}`;
}

/** The same database; every statement adds one, and the answer of a commit may get lost. */
function watched(database: Database, statements: { count: number }, faults: { commitsLost: number }): Database {
  const counted = (connection: Connection): Connection => ({
    client: connection.client,
    query(text, values, how) {
      statements.count += 1;
      return connection.query(text, values, how);
    },
  });
  return {
    ...database,
    query(text, values, how) {
      statements.count += 1;
      return database.query(text, values, how);
    },
    async transaction(work, how) {
      const result = await database.transaction((tx) => work(counted(tx)), how);
      if (faults.commitsLost > 0) {
        faults.commitsLost -= 1;
        throw new CcxError('as the test wants it', {
          code: 'DATABASE_COMMIT_UNKNOWN',
          category: 'connection',
          retryable: true,
        });
      }
      return result;
    },
    withConnection: (work) => database.withConnection((connection) => work(counted(connection))),
  };
}

/** Of each timeline, what waits for its next pause: one that was not met by the work before must not swallow one of the next. */
const awaited = new WeakMap<Timeline, Promise<number>>();

/** Waits for the work and moves the clock over its pauses of up to a minute; answers them. A watch over a lease is longer, and not a pause. */
export async function passPauses(line: Timeline, work: Promise<unknown>): Promise<number[]> {
  const ended = work.then(() => undefined);
  const pauses: number[] = [];
  for (;;) {
    const next = awaited.get(line) ?? line.clock.nextSleep();
    awaited.set(line, next);
    const pause = await Promise.race([ended, next]);
    if (pause === undefined) return pauses;
    awaited.delete(line);
    if (pause > 60_000) continue;
    pauses.push(pause);
    await line.clock.advance(pause);
  }
}

/** Resolves with the next such event of any service in this process. */
export function nextEvent(name: string): Promise<BusinessEvent> {
  return new Promise((resolve) => {
    const listener = (message: unknown) => {
      const event = message as BusinessEvent;
      if (event.event !== name) return;
      unsubscribe(BUSINESS_EVENT_CHANNEL, listener);
      resolve(event);
    };
    subscribe(BUSINESS_EVENT_CHANNEL, listener);
  });
}

/**
 * Telemetry that throws out of the service at the n-th event of that name, as a crash right behind that effect would end it: nothing that
 * follows is done, and nothing is tidied up but what a test's `end` tidies.
 */
export function createCrashingTelemetry(event: string, nth = 1): Telemetry {
  const telemetry = createSilentTelemetry();
  let seen = 0;
  return {
    ...telemetry,
    announce(name, fields) {
      telemetry.announce(name, fields);
      if (name !== event) return;
      seen += 1;
      if (seen === nth) throw new Error(`crash at ${event} ${nth}`);
    },
  };
}
