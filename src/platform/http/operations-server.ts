/**
 * What a role without an HTTP interface of its own shows to Prometheus and to Kubernetes: `/metrics`, `/ready`, `/live`. Started by the
 * roles' `commands.ts`; in the all-in-one process ingress serves this for all.
 */

import { errorFields } from '../../encoding/ccx-error.ts';
import type { Clock } from '../clock/clock.ts';
import { publicReadiness } from '../lifecycle/health.ts';
import type { Readiness } from '../lifecycle/lifecycle.ts';
import type { MetricsPage } from '../telemetry/joined-registries.ts';
import { registerProcessMetrics } from '../telemetry/process-metrics.ts';
import { Registry } from '../telemetry/prometheus.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { createHttpServer, type HttpServer } from './http-server.ts';
import type { CertificateEvents, TlsFiles } from './own-certificate.ts';

/** The log lines of a role about the certificate of its ports. */
export function certificateEvents(log: Telemetry['log']): CertificateEvents {
  return {
    onReplaced: (until) => log.info({ until: until.toISOString() }, 'the certificate of our ports was replaced'),
    onFailed: (error) =>
      log.warn(errorFields(error), 'the files of the certificate are not used; the one before stays'),
  };
}

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
  readonly tls?: TlsFiles;
}

export function createOperationsServer(options: OperationsServerOptions): HttpServer {
  const readiness = publicReadiness(options);
  const certificate = certificateEvents(options.log);
  const server = createHttpServer({ ...options, certificate, bodyBytesMax: operationsBodyBytesMax });
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
