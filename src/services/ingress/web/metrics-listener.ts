/** The second listener: `lubdub` for probes, Prometheus text for whoever scrapes. Source: ingress.md A.1. */
import type { Registry } from 'prom-client';
import { createHttpServer, type HttpServer } from '../../../platform/http/http-server.ts';
import { gatheredBodyBytesMax } from '../limits.ts';
import { text } from './reply.ts';
import { notFound, sendReply } from './send-reply.ts';

export interface MetricsListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly registry: Registry;
}

export function createMetricsListener(options: MetricsListenerOptions): HttpServer {
  const server = createHttpServer({
    host: options.host,
    port: options.port,
    bodyBytesMax: gatheredBodyBytesMax,
    portSetting: 'INGRESS_METRICSPORT',
  });
  server.app.get('/', (_request, response) => sendReply(response, text(200, 'lubdub')));
  server.app.all('/metrics', async (_request, response) => {
    const body = await options.registry.metrics();
    return response.header('content-type', options.registry.contentType).send(body);
  });
  server.app.setNotFoundHandler((_request, response) => sendReply(response, notFound()));
  return server;
}
