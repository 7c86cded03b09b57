/**
 * A bounded HTTP server: header, body and idle time have limits, and closing it waits for requests in flight but not for idle
 * connections. Routes belong to the services.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { CcxError } from '../../contracts/ccx-error.ts';
import { headersMsMax, idleMsMax, requestMsMax } from './limits.ts';

export interface HttpServerOptions {
  readonly host: string;
  /** 0 picks any free port. */
  readonly port: number;
  /** Bodies that routes do not stream themselves. */
  readonly bodyBytesMax: number;
  /** The configuration key that a person changes when the address is taken, for the error text. */
  readonly portSetting: string;
  readonly requestMsMax?: number;
}

export interface HttpServer {
  readonly app: FastifyInstance;
  /** Starts to listen; resolves to the base URL, e.g. `http://127.0.0.1:3000`. */
  listen(): Promise<string>;
  close(): Promise<void>;
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const app = fastify({
    logger: false,
    bodyLimit: options.bodyBytesMax,
    requestTimeout: options.requestMsMax ?? requestMsMax,
    connectionTimeout: 0,
    keepAliveTimeout: idleMsMax,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: false },
    http: { headersTimeout: headersMsMax },
  });
  const silent = watchSilentConnections(app.server);
  return {
    app,
    async listen() {
      try {
        await app.listen({ host: options.host, port: options.port });
      } catch (cause) {
        throw new CcxError(`cannot listen on ${options.host}:${options.port}`, {
          code: 'HTTP_LISTEN',
          category: 'configuration',
          cause,
          hint: `choose another port with ${options.portSetting}`,
        });
      }
      const address = app.server.address() as AddressInfo;
      const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
      return `http://${host}:${address.port}`;
    },
    async close() {
      const closed = app.close();
      silent.close();
      await closed;
    },
  };
}

/**
 * Connections that have not sent a request, as load balancers keep them. Node counts them as busy, so that closing would wait for them
 * for a minute.
 */
function watchSilentConnections(server: Server): { close(): void } {
  const silent = new Set<Socket>();
  let closing = false;
  server.on('connection', (socket: Socket) => {
    if (closing) socket.destroy();
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  server.on('request', ({ socket }: IncomingMessage) => silent.delete(socket));
  return {
    close() {
      closing = true;
      for (const socket of silent) socket.destroy();
    },
  };
}
