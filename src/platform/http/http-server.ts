/**
 * A bounded HTTP server: connections, headers, bodies and idle time have limits, and closing it waits for requests in flight but not for
 * idle connections. Routes belong to the services.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { CcxError } from '../../encoding/ccx-error.ts';
import { type Clock, createSystemClock } from '../clock/clock.ts';
import { Connections, overdueCheckedEveryMs } from './connections.ts';

/** A client that has not sent its headers by then is not a client. */
const headersMsMax = 15_000;
/** All headers of one request. Gateways pass on identities and cookies beyond Node's own 16 KiB; each connection may hold so much. */
export const headerBytesMax = 64 * 1024;
/** A kept-alive connection without a request. */
const idleMsMax = 30_000;
/** One request from first byte to last; the operator gives up after 60 s. */
const requestMsMax = 60_000;
/** Connections at once, unless the caller says otherwise: a server for probes and scrapers has a handful. */
const connectionsMax = 256;

export interface HttpServerOptions {
  readonly host: string;
  /** 0 picks any free port. */
  readonly port: number;
  /** Bodies that routes do not stream themselves. */
  readonly bodyBytesMax: number;
  /** The configuration key that a person changes when the address is taken, for the error text. */
  readonly portSetting: string;
  readonly requestMsMax?: number;
  readonly connectionsMax?: number;
  readonly clock?: Clock;
  readonly headersMsMax?: number;
  /** Where every connection has a request in work: ends one of them and answers true, or answers false. */
  readonly makeRoom?: () => boolean;
  /** How many connections there are now, after each one that comes. Must not throw. */
  readonly onConnectionOpened?: (count: number) => void;
  /** A connection that there was no room or no descriptor for. Must not throw. */
  readonly onConnectionRefused?: () => void;
  /** The whole answer, as bytes, to what cannot be read as a request; by default Fastify's. */
  readonly answerMalformed?: (fault: RequestFault) => string;
  /** Answers a path that the router cannot decode; by default Fastify's. */
  readonly answerBadPath?: (request: FastifyRequest, reply: FastifyReply) => void;
}

/** Why Node gave a connection up before there was a request. */
export interface RequestFault {
  /** Node's, such as `HPE_HEADER_OVERFLOW` or `ERR_HTTP_REQUEST_TIMEOUT`. */
  readonly code: string;
  /** What had come in the last packet; empty where nothing had. */
  readonly packet: Buffer;
}

export interface HttpServer {
  readonly app: FastifyInstance;
  /** Open connections. */
  connections(): number;
  /** Starts to listen; resolves to the base URL, e.g. `http://127.0.0.1:3000`. */
  listen(): Promise<string>;
  close(): Promise<void>;
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { answerMalformed, answerBadPath } = options;
  const app = fastify({
    logger: false,
    bodyLimit: options.bodyBytesMax,
    requestTimeout: options.requestMsMax ?? requestMsMax,
    connectionTimeout: 0,
    keepAliveTimeout: idleMsMax,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: false },
    http: {
      headersTimeout: options.headersMsMax ?? headersMsMax,
      connectionsCheckingInterval: overdueCheckedEveryMs,
      maxHeaderSize: headerBytesMax,
      // Said by whoever answers in the words of another server.
      requireHostHeader: answerMalformed === undefined,
    },
    ...(answerMalformed === undefined
      ? {}
      : { clientErrorHandler: (error: Error, socket: Socket) => giveUp(error, socket, answerMalformed) }),
    ...(answerBadPath === undefined
      ? {}
      : {
          frameworkErrors: (_error: unknown, request: unknown, reply: unknown) =>
            answerBadPath(request as FastifyRequest, reply as FastifyReply),
        }),
  });
  const connections = new Connections(app.server, {
    connectionsMax: options.connectionsMax ?? connectionsMax,
    clock: options.clock ?? createSystemClock(),
    ...(options.makeRoom === undefined ? {} : { makeRoom: options.makeRoom }),
    ...(options.onConnectionOpened === undefined ? {} : { onOpened: options.onConnectionOpened }),
    ...(options.onConnectionRefused === undefined ? {} : { onRefused: options.onConnectionRefused }),
  });
  return {
    app,
    connections: () => connections.count,
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
      connections.close();
      await closed;
    },
  };
}

/** Node has given a connection up: what came is no request, or it did not come in time. */
function giveUp(
  error: Error & { readonly code?: string; readonly rawPacket?: Buffer },
  socket: Socket & { readonly _httpMessage?: ServerResponse | null },
  answerMalformed: (fault: RequestFault) => string,
): void {
  const response = socket._httpMessage;
  const answer = () => {
    if (error.code === 'ECONNRESET' || !socket.writable || response?.headersSent === true) {
      socket.destroy();
    } else if (response != null && response.req.listenerCount('error') > 0) {
      // The body went wrong: whoever reads it has an answer of its own.
      response.req.emit('error', error);
    } else {
      const text = answerMalformed({ code: error.code ?? '', packet: error.rawPacket ?? Buffer.alloc(0) });
      socket.end(text, () => socket.destroy());
    }
  };
  // The request that the body belongs to may have come in the same packet: then nobody has begun to read it yet.
  if (response == null) answer();
  else setImmediate(answer);
}

/** Whether a client waits for a word before it sends its body. */
export function waitsToSend(request: IncomingMessage): boolean {
  return /^100-continue$/i.test(request.headers.expect ?? '');
}
