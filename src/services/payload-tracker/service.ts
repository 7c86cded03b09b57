/**
 * Composition root of the payload tracker: status messages in, table `ccx.trace` and its HTTP questions out. Started by `ccx tracker` and by
 * the all-in-one process; they own bus and database and close them after this service has stopped.
 */

import type { FastifyInstance } from 'fastify';
import {
  type BatchServiceDependencies,
  openBatchConsumer,
  startCleaning,
} from '../../platform/bus/intake/batch-consumer.ts';
import { ensureOwnTopics } from '../../platform/bus/require-topics.ts';
import { type ConfigOf, settingsOf } from '../../platform/config/options.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import type { Database } from '../../platform/database/database.ts';
import { reachable } from '../../platform/http/http-server.ts';
import { createOperationsServer } from '../../platform/http/operations-server.ts';
import { buildWithLifecycle, type Lifecycle, type RunningService } from '../../platform/lifecycle/lifecycle.ts';
import { pruneTrace, readTrace } from '../../platform/records/trace-log.ts';
import { type PayloadTrackerSettings, payloadTrackerOptions } from './config.ts';
import { trackerDocument } from './decide/tracker-document.ts';
import { processBatch } from './pipeline.ts';
import { createTrackerEvents, type TrackerEvents } from './telemetry.ts';

/** A path segment; a request id that is longer was never stored as it is. */
export const requestIdCharactersMax = 4_096;

const serviceName = 'ccx-payload-tracker';

export interface RunningPayloadTracker extends RunningService {
  /** Base URL of its HTTP; `<url>/v1/payloads/<request id>`. */
  readonly url: string;
}

/** Resolves once it takes messages and answers questions. Rejects with the migration's, the bus's or the listener's code. */
export function startPayloadTracker(
  settings: PayloadTrackerSettings,
  dependencies: BatchServiceDependencies,
): Promise<RunningPayloadTracker> {
  return buildWithLifecycle(dependencies.clock, (lifecycle) => build(settings, dependencies, lifecycle));
}

async function build(
  settings: PayloadTrackerSettings,
  dependencies: BatchServiceDependencies,
  lifecycle: Lifecycle,
): Promise<RunningPayloadTracker> {
  const { bus, database, telemetry, clock } = dependencies;
  const events = createTrackerEvents(telemetry, clock);
  const { warning } = await migrateCcx(database, 'trace');
  if (warning !== undefined) events.warned(warning);
  await ensureOwnTopics(bus, { own: settings.deadLettersTopic, others: [settings.topic], warn: events.warned });

  const sender = await bus.createProducer();
  lifecycle.defer('producer', () => sender.close());
  const deadLetters = { sender, topic: settings.deadLettersTopic, serviceName };
  const consumer = await openBatchConsumer(
    { ...settings, batch: { ...settings.batch, waitsAlways: true } },
    dependencies,
    {
      events,
      begin: async (records, control) => () =>
        processBatch(
          records.filter((record) => control.owns(record)),
          { clock, events, database, deadLetters },
          control,
        ),
    },
    lifecycle,
  );
  consumer.start();
  const prune = (signal: AbortSignal) =>
    pruneTrace(database, { ...settings.retention, signal }).then(events.eventsPruned, events.pruningFailed);
  lifecycle.defer('retention', startCleaning(clock, prune));

  const { readiness, state, idle, stop } = consumer;
  const server = createOperationsServer({
    ...settings.http,
    tls: settings.tls,
    portSetting: 'http.port (--port)',
    registry: telemetry.registry,
    ...{ readiness, log: telemetry.log, clock },
  });
  registerTrackerRoutes(server.app, database, events);
  lifecycle.defer('HTTP', () => server.close());
  const url = await server.listen();
  events.started({ topic: settings.topic, group: settings.groupId, bus: bus.kind, url });

  return {
    name: 'payload-tracker',
    url: reachable(url),
    ...{ readiness, state, idle, stop },
  };
}

/** What a process that runs this service among others needs of it besides `startPayloadTracker`. */
export const payloadTrackerRole = {
  options: payloadTrackerOptions,
  settings: (config: ConfigOf<typeof payloadTrackerOptions>) => settingsOf(payloadTrackerOptions, config),
} as const;

/** `GET /v1/payloads/{request_id}`: what is known of one request. Asked by ingress for `/track`, and by people. Source: ingress.md A.9. */
function registerTrackerRoutes(app: FastifyInstance, database: Database, events: TrackerEvents): void {
  app.get<{ Params: { '*': string } }>('/v1/payloads/*', async (request, reply) => {
    const requestId = request.params['*'];
    if (requestId === '' || requestId.length > requestIdCharactersMax) {
      return reply.code(400).send(problem(400, 'Bad Request', 'a request id is needed'));
    }
    try {
      const trace = await readTrace(database, requestId);
      if (trace.length > 0) return await reply.send(trackerDocument(trace));
    } catch (error) {
      events.questionFailed(error);
      return reply.code(503).send(problem(503, 'Service Unavailable', 'the database does not answer'));
    }
    // An empty list, because ingress looks at the document and not at the status.
    return reply.code(404).send({ ...problem(404, 'Not Found', `payload with id: ${requestId} not found`), data: [] });
  });
}

function problem(status: number, title: string, message: string) {
  return { title, message, status };
}
