/**
 * Composition root of the payload tracker: status messages in, table `ccx.trace` and its HTTP questions out. Started by `ccx tracker` and by
 * the all-in-one process; they own bus and database and close them after this service has stopped.
 */
import { BatchIntake } from '../../platform/bus/batch-intake.ts';
import type { Bus } from '../../platform/bus/bus.ts';
import { hasReadEverything } from '../../platform/bus/group-lag.ts';
import { ensureOwnTopics } from '../../platform/bus/require-topics.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import type { Database } from '../../platform/database/database.ts';
import { createOperationsServer } from '../../platform/http/operations-server.ts';
import { Health } from '../../platform/lifecycle/health.ts';
import type { RunningService } from '../../platform/lifecycle/lifecycle.ts';
import { buildWithLifecycle, type Lifecycle } from '../../platform/lifecycle/lifecycle.ts';
import { pruneTrace } from '../../platform/records/trace-log.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import { type PayloadTrackerSettings, payloadTrackerOptions, payloadTrackerSettings } from './config.ts';
import { createTrackerEvents, type TrackerEvents } from './events.ts';
import { createTrackerMetrics } from './metrics.ts';
import { processBatch } from './pipeline.ts';
import { registerTrackerRoutes } from './routes.ts';

const retentionEveryMs = 10 * 60_000;

const serviceName = 'ccx-payload-tracker';

export interface PayloadTrackerDependencies {
  readonly bus: Bus;
  readonly database: Database;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

export interface RunningPayloadTracker extends RunningService {
  /** Base URL of its HTTP; `<url>/v1/payloads/<request id>`. */
  readonly url: string;
}

/** Resolves once it takes messages and answers questions. Rejects with the migration's, the bus's or the listener's code. */
export function startPayloadTracker(
  settings: PayloadTrackerSettings,
  dependencies: PayloadTrackerDependencies,
): Promise<RunningPayloadTracker> {
  return buildWithLifecycle(dependencies.clock, (lifecycle) => build(settings, dependencies, lifecycle));
}

async function build(
  settings: PayloadTrackerSettings,
  { bus, database, telemetry, clock }: PayloadTrackerDependencies,
  lifecycle: Lifecycle,
): Promise<RunningPayloadTracker> {
  const events = createTrackerEvents({ telemetry, clock, metrics: createTrackerMetrics(telemetry.registry) });
  const { warning } = await migrateCcx(database, 'trace');
  if (warning !== undefined) events.warned(warning);
  await ensureOwnTopics(bus, { own: settings.deadLettersTopic, others: [settings.topic], warn: events.warned });

  const sender = await bus.createProducer();
  lifecycle.defer('producer', () => sender.close());
  const putAside = { sender, topic: settings.deadLettersTopic, serviceName };
  const health = new Health();
  const intake = new BatchIntake({
    clock,
    events,
    health,
    bounds: settings.batch,
    process: (records, control) => processBatch(records, { clock, events, database, putAside }, control),
  });
  const consumer = await bus.createConsumer({
    groupId: settings.groupId,
    topics: [settings.topic],
    startAt: settings.startAt,
    onRevoked: (partitions) => intake.partitionsLost(partitions),
  });
  lifecycle.defer('consumer', () => consumer.close());
  intake.start(consumer);
  lifecycle.defer('intake', () => intake.stop());
  lifecycle.defer('retention', startRetention(settings, { database, clock, events }));

  const probes = { database: () => database.check(), bus: () => bus.check() };
  const readiness = () => health.probed(probes, clock);
  const server = createOperationsServer({
    ...settings.http,
    portSetting: 'http.port (--port)',
    registry: telemetry.registry,
    ...{ readiness, log: telemetry.log, clock },
  });
  registerTrackerRoutes(server.app, { database, events });
  lifecycle.defer('HTTP', () => server.close());
  const url = await server.listen();
  events.started({ topic: settings.topic, group: settings.groupId, bus: bus.kind, url });

  return {
    name: 'payload-tracker',
    url: url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:'),
    readiness,
    idle: async () =>
      intake.idle() && (await hasReadEverything(bus, settings.groupId, [settings.topic])) && intake.idle(),
    stop: async () => {
      const report = await lifecycle.stop();
      for (const { name, error } of report.failed) events.stopFailed(name, error);
    },
  };
}

interface RetentionTools {
  readonly database: Database;
  readonly clock: Clock;
  readonly events: TrackerEvents;
}

/** Answers with its stop function, which waits for the pass under way: the caller closes the database next. */
function startRetention({ retention }: PayloadTrackerSettings, tools: RetentionTools): () => Promise<void> {
  const { database, clock, events } = tools;
  const stopping = new AbortController();
  let pass: Promise<void> = Promise.resolve();
  const stopTimer = clock.every(retentionEveryMs, () => {
    pass = pruneTrace(database, { ...retention, signal: stopping.signal }).then(
      events.eventsPruned,
      events.pruningFailed,
    );
    return pass;
  });
  return async () => {
    stopTimer();
    stopping.abort();
    await pass;
  };
}

/** What a process that runs this service among others needs of it besides `startPayloadTracker`. */
export const payloadTrackerRole = { options: payloadTrackerOptions, settings: payloadTrackerSettings } as const;
