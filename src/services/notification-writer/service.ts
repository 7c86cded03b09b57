/**
 * Composition root of the notification writer (hops 7 and 8): reports in, rows of `new_reports` out. Started by `ccx writer`, by the
 * drop-in program and by the all-in-one process; they own bus and database and close them after this service has stopped.
 */
import { RepeatedValues } from '../../contracts/parse-ocp-results.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import {
  type BatchServiceDependencies,
  openBatchConsumer,
  startCleaning,
} from '../../platform/bus/intake/batch-consumer.ts';
import { ensureOwnTopics } from '../../platform/bus/require-topics.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import type { Database } from '../../platform/database/database.ts';
import { buildWithLifecycle, type Lifecycle, type RunningService } from '../../platform/lifecycle/lifecycle.ts';
import { ensureNotificationSchema } from '../../platform/records/notification-schema.ts';
import { createFactsSweep } from '../../platform/records/report-facts.ts';
import { StatusSender } from '../../platform/records/status-sender.ts';
import { type NotificationWriterSettings, notificationWriterOptions, notificationWriterSettings } from './config.ts';
import { beginBatch } from './pipeline.ts';
import { followNewReports } from './retention.ts';
import { createFactsMemory } from './steps/read-facts.ts';
import { ServerCompression } from './steps/store-reports.ts';
import { createWriterEvents, createWriterMetrics } from './telemetry.ts';
import { waitForTables } from './wait-for-tables.ts';

/** How long statuses wait for others: a backlog makes thousands a second, and a request for each few costs as much as storing a report. */
const statusesGatheredMs = 50;

/**
 * Resolves once it takes messages, or waits for its database where the settings say so. Else rejects with `WRITER_NO_TABLE` when the notification schema is missing, with the migration's code when
 * our own tables cannot be brought up, and with the bus's code when the topic or the bus is not there.
 */
export function startNotificationWriter(
  settings: NotificationWriterSettings,
  dependencies: BatchServiceDependencies,
): Promise<RunningService> {
  return buildWithLifecycle(dependencies.clock, (lifecycle) => build(settings, dependencies, lifecycle));
}

async function build(
  settings: NotificationWriterSettings,
  dependencies: BatchServiceDependencies,
  lifecycle: Lifecycle,
): Promise<RunningService> {
  const { bus, database, telemetry, clock } = dependencies;
  const metrics = createWriterMetrics(telemetry.registry, settings.metricsNamespace);
  const warnings = settings.waitsForDatabase ? [] : await bringUpTables(database, settings);

  const sender = await bus.createProducer();
  lifecycle.defer('producer', () => sender.close());
  const statuses = new StatusSender({
    sender,
    topic: settings.statusesTopic,
    service: settings.serviceName,
    clock,
    gatherMs: statusesGatheredMs,
    dropped: metrics.statusesDropped,
    log: telemetry.log,
  });
  lifecycle.defer('statuses', () => statuses.close());
  const events = createWriterEvents({ telemetry, clock, metrics, statuses });
  for (const warning of warnings) events.warned(warning);

  const compression = new ServerCompression();
  const memory = { repeatedValues: new RepeatedValues(), factsMemory: createFactsMemory() };
  const work = { clock, events, ...memory, database, compression, sender, settings };
  const { deadLettersTopic, topic, statusesTopic } = settings;
  await ensureOwnTopics(bus, { own: deadLettersTopic, others: [topic, statusesTopic], warn: events.warned });
  const consumer = await openBatchConsumer(
    settings,
    dependencies,
    { events, begin: (records, control) => beginBatch(records, work, control) },
    lifecycle,
  );
  if (settings.waitsForDatabase) {
    const bringUp = () => bringUpTables(database, settings);
    const { health, start: onReady } = consumer;
    lifecycle.defer('wait for the database', waitForTables({ clock, health, events, bringUp, onReady }));
  } else consumer.start();
  const following = { retentionMs: settings.recordRetentionMs, sweepFacts: createFactsSweep() };
  const clean = (signal: AbortSignal) =>
    followNewReports(database, { ...following, signal }).then(events.maintenanceFinished, events.maintenanceFailed);
  lifecycle.defer('maintenance', startCleaning(clock, clean));
  events.started({ topic: settings.topic, group: settings.groupId, startAt: settings.startAt, bus: bus.kind });

  return {
    name: 'notification-writer',
    readiness: consumer.readiness,
    state: consumer.state,
    idle: async () => (await consumer.idle()) && statuses.idle(),
    stop: consumer.stop,
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

/** What a process that runs this service among others needs of it besides `startNotificationWriter`. */
export const notificationWriterRole = {
  options: notificationWriterOptions,
  settings: notificationWriterSettings,
} as const;
