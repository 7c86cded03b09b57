/**
 * What a role without an HTTP interface of its own shows to Prometheus and to Kubernetes: `/metrics`, `/ready`, `/live`. Started by the
 * roles' `commands.ts`; in the all-in-one process ingress serves this for all.
 */

import type { Clock } from '../clock/clock.ts';
import { publicReadiness } from '../lifecycle/health.ts';
import type { Readiness } from '../lifecycle/lifecycle.ts';
import type { MetricsPage } from '../telemetry/joined-registries.ts';
import { registerProcessMetrics } from '../telemetry/process-metrics.ts';
import { Registry } from '../telemetry/prometheus.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { createHttpServer, type HttpServer } from './http-server.ts';

/** `/metrics` and `/ready` take no body. */
const operationsBodyBytesMax = 1_024;

interface OperationsServerOptions {
  readonly host: string;
  readonly port: number;
  /** The setting that a person changes when the address is taken. */
  readonly portSetting: string;
  readonly registry: MetricsPage;
  readonly readiness: () => Promise<Readiness>;
  /** Hears what `/ready` does not tell everybody. */
  readonly log: Telemetry['log'];
  readonly clock: Clock;
}

export function createOperationsServer(options: OperationsServerOptions): HttpServer {
  const readiness = publicReadiness(options);
  const server = createHttpServer({ ...options, bodyBytesMax: operationsBodyBytesMax });
  // A page joined of several registries is that of the all-in-one process, where ingress has them.
  if (options.registry instanceof Registry) registerProcessMetrics(options.registry);
  server.app.get('/metrics', async (_request, reply) =>
    reply.type(options.registry.contentType).send(await options.registry.metrics()),
  );
  server.app.get('/ready', async (_request, reply) => {
    const answer = await readiness();
    return reply.code(answer.ready ? 200 : 503).send(answer);
  });
  // Answers as long as the event loop turns: a process that waits for its bus is alive, and a restart would not help it.
  server.app.get('/live', async () => ({ alive: true }));
  return server;
}
