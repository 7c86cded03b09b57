/**
 * `GET /metrics` on the writer's own address, with the answers of the reference: text format 0.0.4, and the plain 404 of Go for every other
 * path. `/live` and `/ready` are ours: the reference has none. Source: notification-writer.md 9.
 */
import type { FastifyReply } from 'fastify';
import type { Registry } from 'prom-client';
import { configInvalid } from '../../encoding/ccx-error.ts';
import { parseHostPort } from '../../platform/config/parse-value.ts';
import { createHttpServer, type HttpServer, type HttpServerOptions } from '../../platform/http/http-server.ts';
import type { Readiness } from '../../platform/lifecycle/lifecycle.ts';
import { registerProcessMetrics } from '../../platform/telemetry/process-metrics.ts';

/** A request of the metrics server has no body. */
const metricsBodyBytesMax = 1024;

const metricsType = 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores';
const plainType = 'text/plain; charset=utf-8';

/** Throws `CONFIG_INVALID` for an address that is none; `listen` rejects with `HTTP_LISTEN`. */
export function createMetricsServer({
  address,
  registry,
  readiness,
  ...more
}: {
  /** `:8080`, `127.0.0.1:8080`, `[::1]:0`; nothing before the colon means every interface. */
  readonly address: string;
  readonly registry: Registry;
  readonly readiness: () => Promise<Readiness>;
} & Pick<HttpServerOptions, 'tls' | 'certificate' | 'clock'>): HttpServer {
  const server = createHttpServer({
    ...parseAddress(address),
    ...more,
    bodyBytesMax: metricsBodyBytesMax,
    portSetting: 'metrics.address',
  });
  const { app } = server;
  registerProcessMetrics(registry);
  app.get('/metrics', async (_request, reply) =>
    reply.header('content-type', metricsType).send(await registry.metrics()),
  );
  const plain = (reply: FastifyReply, code: number, text: string) =>
    reply.code(code).header('content-type', plainType).send(`${text}\n`);
  app.get('/live', (_request, reply) => plain(reply, 200, 'ok'));
  app.get('/ready', async (_request, reply) => {
    const { ready, reasons } = await readiness();
    return ready ? plain(reply, 200, 'ok') : plain(reply, 503, reasons.join('\n'));
  });
  app.setNotFoundHandler((_request, reply) =>
    plain(reply.header('x-content-type-options', 'nosniff'), 404, '404 page not found'),
  );
  return server;
}

function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const parsed = parseHostPort(address);
  if (parsed === undefined) {
    throw configInvalid(
      `metrics.address is not host:port: ${JSON.stringify(address)}`,
      'write metrics.address as :8080 or 127.0.0.1:8080, or "none" for no server',
    );
  }
  return parsed;
}
