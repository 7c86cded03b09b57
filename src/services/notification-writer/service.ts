/**
 * Composition root of the notification writer (hops 7 and 8): reports in, rows of `new_reports` out. Started by `ccx writer`, by the
 * drop-in program and by the all-in-one process; they own bus and database and close them after this service has stopped.
 */
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Bus } from '../../platform/bus/bus.ts';
import { hasReadEverything } from '../../platform/bus/group-lag.ts';
import { BatchIntake } from '../../platform/bus/intake/batch-intake.ts';
import { ensureOwnTopics } from '../../platform/bus/require-topics.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import type { Database } from '../../platform/database/database.ts';
import { Health } from '../../platform/lifecycle/health.ts';
import type { RunningService } from '../../platform/lifecycle/lifecycle.ts';
import { buildWithLifecycle, type Lifecycle } from '../../platform/lifecycle/lifecycle.ts';
import { ensureNotificationSchema } from '../../platform/records/notification-schema/migrate-schema.ts';
import { StatusSender } from '../../platform/records/status-sender.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import { type NotificationWriterSettings, notificationWriterOptions, notificationWriterSettings } from './config.ts';
import { type PipelineDependencies, processBatch } from './pipeline.ts';
import { followNewReports } from './retention.ts';
import { createCatalogueReader } from './steps/read-facts.ts';
import { createStatusesDropped, createWriterEvents, createWriterMetrics, type WriterEvents } from './telemetry.ts';
import { waitForTables } from './wait-for-tables.ts';

/** How often records of reports that are gone are removed. */
const maintenanceEveryMs = 10 * 60_000;

interface NotificationWriterDependencies {
  readonly bus: Bus;
  readonly database: Database;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

/**
 * Resolves once it takes messages, or waits for its database where the settings say so. Else rejects with `WRITER_NO_TABLE` when the notification schema is missing, with the migration's code when
 * our own tables cannot be brought up, and with the bus's code when the topic or the bus is not there.
 */
export function startNotificationWriter(
  settings: NotificationWriterSettings,
  dependencies: NotificationWriterDependencies,
): Promise<RunningService> {
  return buildWithLifecycle(dependencies.clock, (lifecycle) => build(settings, dependencies, lifecycle));
}

async function build(
  settings: NotificationWriterSettings,
  { bus, database, telemetry, clock }: NotificationWriterDependencies,
  lifecycle: Lifecycle,
): Promise<RunningService> {
  const metrics = createWriterMetrics(telemetry.registry, settings.metricsNamespace);
  const warnings = settings.waitsForDatabase ? [] : await bringUpTables(database, settings);

  const sender = await bus.createProducer();
  lifecycle.defer('producer', () => sender.close());
  const statuses = new StatusSender({
    sender,
    topic: settings.statusesTopic,
    service: settings.serviceName,
    clock,
    onDropped: createStatusesDropped({ telemetry, metrics }),
  });
  lifecycle.defer('statuses', () => statuses.close());
  const events = createWriterEvents({ telemetry, clock, metrics, statuses });
  for (const warning of warnings) events.warned(warning);

  const dependencies: PipelineDependencies = {
    clock,
    events,
    readCatalogue: createCatalogueReader(),
    database,
    futureToleranceMs: settings.futureToleranceMs,
    deadLetters: { sender, topic: settings.deadLettersTopic, serviceName: settings.serviceName },
    traced: settings.traced,
  };
  const health = new Health();
  const intake = new BatchIntake({
    clock,
    events,
    health,
    bounds: settings.batch,
    process: (records, control) => processBatch(records, dependencies, control),
  });
  const { deadLettersTopic, topic, statusesTopic } = settings;
  await ensureOwnTopics(bus, { own: deadLettersTopic, others: [topic, statusesTopic], warn: events.warned });
  const consumer = await bus.createConsumer({
    groupId: settings.groupId,
    topics: [settings.topic],
    startAt: settings.startAt,
    onRevoked: (partitions) => intake.partitionsLost(partitions),
  });
  lifecycle.defer('consumer', () => consumer.close());
  lifecycle.defer('intake', () => intake.stop());
  if (settings.waitsForDatabase) {
    const bringUp = () => bringUpTables(database, settings);
    const stopWaiting = waitForTables({ clock, health, events, bringUp, onReady: () => intake.start(consumer) });
    lifecycle.defer('wait for the database', stopWaiting);
  } else intake.start(consumer);
  lifecycle.defer('maintenance', startMaintenance(settings, { database, clock, events }));
  events.started({ topic: settings.topic, group: settings.groupId, startAt: settings.startAt, bus: bus.kind });

  const probes = { database: () => database.check(), bus: () => bus.check() };
  return {
    name: 'notification-writer',
    readiness: () => health.probed(probes, clock),
    idle: async () =>
      intake.idle() &&
      (await hasReadEverything(bus, settings.groupId, [settings.topic])) &&
      intake.idle() &&
      statuses.idle(),
    stop: async () => {
      const report = await lifecycle.stop();
      for (const { name, error } of report.failed) events.stopFailed(name, error);
    },
  };
}

/** Our own tables always; the shared ones only if asked, because their schema is other programs' business too. */
async function bringUpTables(database: Database, settings: NotificationWriterSettings): Promise<string[]> {
  const results = [
    ...(settings.ensureSchema ? [await ensureNotificationSchema(database)] : []),
    await migrateCcx(database, 'writer'),
    await migrateCcx(database, 'records'),
    ...(settings.traced ? [await migrateCcx(database, 'trace')] : []),
  ];
  const { rows } = await database.query<{ found: boolean }>(`SELECT to_regclass('new_reports') IS NOT NULL AS found`);
  if (rows[0]?.found !== true) {
    throw new CcxError('the notification database has no table new_reports', {
      code: 'WRITER_NO_TABLE',
      category: 'storage',
      hint: 'run ccx db init, or ccx-notification-writer --db-init-migration, --db-init and --migrate latest, or set storage.ensure_schema',
    });
  }
  return results.flatMap(({ warning }) => (warning === undefined ? [] : [warning]));
}

interface MaintenanceDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly events: WriterEvents;
}

/** Answers with its stop function, which waits for the pass under way: the caller closes the database next. */
function startMaintenance(
  settings: NotificationWriterSettings,
  dependencies: MaintenanceDependencies,
): () => Promise<void> {
  const { database, clock, events } = dependencies;
  const stopping = new AbortController();
  let pass: Promise<void> = Promise.resolve();
  const stopTimer = clock.every(maintenanceEveryMs, () => {
    const work = followNewReports(database, { retentionMs: settings.recordRetentionMs, signal: stopping.signal });
    pass = work.then(events.maintenanceFinished, events.maintenanceFailed);
    return pass;
  });
  return async () => {
    stopTimer();
    stopping.abort();
    await pass;
  };
}

/** What a process that runs this service among others needs of it besides `startNotificationWriter`. */
export const notificationWriterRole = {
  options: notificationWriterOptions,
  settings: notificationWriterSettings,
} as const;
