/**
 * A bounded HTTP server: connections, headers, bodies and idle time have limits, and closing it waits for requests in flight but not for
 * idle connections. Routes belong to the services: a server has its own, or carries several modules, each with its paths, hooks, parsers,
 * errors and limits, none of which hold for another.
 */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { CcxError } from '../../encoding/ccx-error.ts';
import { type Clock, createSystemClock } from '../clock/clock.ts';
import type { ConnectionMemory } from './connection-memory.ts';
import {
  type ConnectionRoom,
  type ConnectionRoomOptions,
  Connections,
  firstByteMsMax,
  overdueCheckedEveryMs,
} from './connections.ts';
import { type CertificateEvents, openOwnCertificate, type TlsFiles } from './own-certificate.ts';

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
  /** Certificate and key; without them it speaks plain HTTP. */
  readonly tls?: TlsFiles | undefined;
  readonly certificate?: CertificateEvents;
  /** Beside a server that speaks TLS, a port of plain HTTP that only this machine reaches, for what this process asks of itself. */
  readonly hasInside?: boolean;
  /** For a server that strangers reach in crowds. */
  readonly memory?: ConnectionMemory;
  /** The whole answer, as bytes, to what cannot be read as a request; nobody knows yet which module it is for. */
  readonly answerMalformed?: (fault: RequestFault) => string;
}

/** A service's part of a server. */
export interface HttpModule {
  /** Each of these paths, and all below it, are this module's: `/api/x`; the empty one is all that is nobody else's. */
  readonly prefixes: readonly string[];
  /** Its routes, hooks, parsers and answers to errors below one of its prefixes; paths in there are without it. */
  readonly plugin: (scope: FastifyInstance, prefix: string) => void;
  /** Answers a path that the router cannot decode. */
  readonly answerBadPath?: (request: FastifyRequest, reply: FastifyReply) => void;
  /** Its handlers send `100 Continue` themselves, when they want the body. */
  readonly asksForBodies?: boolean;
  /** It refuses what names no host itself; for others the server does, before anything of theirs runs. */
  readonly refusesMissingHosts?: boolean;
  /** Answers what expects something else than `100 Continue`; without it the server does. */
  readonly refuseExpectation?: (response: ServerResponse) => void;
  /** The server has had no room, or no descriptor, for a connection: whose it would have been, nobody knows. Must not throw. */
  readonly onConnectionRefused?: () => void;
}

/** Why Node gave a connection up before there was a request. */
export interface RequestFault {
  /** Node's, such as `HPE_HEADER_OVERFLOW` or `ERR_HTTP_REQUEST_TIMEOUT`. */
  readonly code: string;
  /** What had come in the last packet; empty where nothing had. */
  readonly packet: Buffer;
}

export type HttpServer = ReturnType<typeof createHttpServer>;

/** Connections whose handshake may be under way at once, in shares of those that there may be. */
const handshakesShare = 0.5;

/** Throws where the files of the certificate cannot be used. */
export function createHttpServer(options: HttpServerOptions) {
  const { answerMalformed = defaultMalformedAnswer } = options;
  const modules: HttpModule[] = [];
  const clock = options.clock ?? createSystemClock();
  const certificate = openOwnCertificate(options.tls);
  const ofNode = {
    headersTimeout: options.headersMsMax ?? headersMsMax,
    connectionsCheckingInterval: overdueCheckedEveryMs,
    maxHeaderSize: headerBytesMax,
    // Said below, because a module may say it in words of its own.
    requireHostHeader: false,
  };
  const moduleOf = (url: string | undefined) => ownerOf(decoded(pathOf(url)), modules);
  const app: FastifyInstance = fastify({
    logger: false,
    bodyLimit: options.bodyBytesMax,
    requestTimeout: options.requestMsMax ?? requestMsMax,
    connectionTimeout: 0,
    keepAliveTimeout: idleMsMax,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: false },
    http: ofNode,
    // The types know either this or that.
    ...((certificate === undefined
      ? {}
      : { https: { ...ofNode, ...certificate.options(), handshakeTimeout: firstByteMsMax } }) as object),
    clientErrorHandler: (error: Error, socket: Socket) => giveUp(error, socket, answerMalformed),
    frameworkErrors: (error, request, reply) => {
      const answerBadPath = moduleOf(request.raw.url)?.answerBadPath;
      if (answerBadPath === undefined) defaultBadPathAnswer(error, reply as FastifyReply);
      else answerBadPath(request as FastifyRequest, reply as FastifyReply);
    },
  });
  app.addHook('onRequest', (request, reply, done) => {
    if (!lacksHost(request.raw) || moduleOf(request.raw.url)?.refusesMissingHosts === true) return done();
    reply.code(400).header('connection', 'close').send();
  });
  const { server } = app;
  server.on('checkContinue', (request, response) => {
    if (moduleOf(request.url)?.asksForBodies !== true) response.writeContinue();
    server.emit('request', request, response);
  });
  server.on('checkExpectation', (request, response) => {
    const refuse = moduleOf(request.url)?.refuseExpectation ?? defaultExpectationRefusal;
    refuse(response);
  });
  const onRefused = () => {
    for (const module of modules) module.onConnectionRefused?.();
  };
  const limit = options.connectionsMax ?? connectionsMax;
  const connections = new Connections(server, {
    ...{ connectionsMax: limit, clock, memory: options.memory, onRefused },
    isEncrypted: certificate !== undefined,
  });
  let stopWatching: () => void = () => undefined;
  if (certificate !== undefined) {
    // A connection is counted from its handshake on; until then this holds.
    server.maxConnections = Math.ceil(limit * (1 + handshakesShare));
    server.on('drop', onRefused);
    const replace = (context: object) => (server as unknown as TlsServer).setSecureContext(context);
    stopWatching = certificate.watch(clock, replace, options.certificate ?? {});
  }
  const inside = certificate !== undefined && options.hasInside === true ? insideOf(server, ofNode) : undefined;
  let baseUrl = '';
  let insideUrl = '';
  return {
    app,
    /** Before it listens. */
    mount(module: HttpModule): void {
      modules.push(module);
      for (const prefix of module.prefixes) {
        app.register(async (scope) => module.plugin(scope, prefix), prefix === '' ? {} : { prefix });
      }
    },
    /** Room for the connections of one kind of request, out of all that there may be. */
    room: (roomOptions: ConnectionRoomOptions): ConnectionRoom => connections.room(roomOptions),
    /** Open connections. */
    connections: (): number => connections.count,
    /**
     * Where it listens, e.g. `http://127.0.0.1:3000`; empty before. While it closes, and requests that are in work still speak of it, and
     * behind that, where it listened.
     */
    baseUrl: (): string => baseUrl,
    /** Where this process itself reaches it: without TLS. Empty before it listens. */
    insideUrl: (): string => insideUrl,
    /** Starts to listen; resolves to the base URL. */
    async listen(): Promise<string> {
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
      baseUrl = urlOf(server.address() as AddressInfo, certificate === undefined ? 'http' : 'https');
      insideUrl = reachable(baseUrl);
      if (inside !== undefined) {
        inside.listen(0, '127.0.0.1');
        await once(inside, 'listening');
        insideUrl = urlOf(inside.address() as AddressInfo, 'http');
      }
      return baseUrl;
    },
    async close(): Promise<void> {
      stopWatching();
      const closed = app.close();
      connections.close();
      if (inside?.listening === true) {
        const insideClosed = once(inside, 'close');
        inside.close();
        await insideClosed;
      }
      await closed;
    },
  };
}

/** The same answers for this process itself. Its connections are not counted, and closing waits for their requests. */
function insideOf(server: Server, options: object): Server {
  const inside = createServer(options);
  for (const event of ['request', 'checkContinue', 'checkExpectation'])
    inside.on(event, (request: IncomingMessage, response: ServerResponse) => server.emit(event, request, response));
  return inside;
}

function urlOf({ family, address, port }: AddressInfo, scheme: 'http' | 'https'): string {
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/** A listener on all addresses is reached by this one from here. */
export function reachable(url: string): string {
  return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}

/** Path of a request as it came, also where the whole URL came, as it does through a proxy. */
export function pathOf(url = ''): string {
  return url.replace(/^https?:\/\/[^/?]*/i, '').split('?', 1)[0] || '/';
}

/** As the router sees it. */
function decoded(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

/** For what reads bodies as streams, or not at all: nothing is gathered, whatever the type of a body says. */
export function gatherNoBodies(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
}

/** Of several prefixes that fit, the longest. */
function ownerOf(path: string, modules: readonly HttpModule[]): HttpModule | undefined {
  const fitting = modules
    .flatMap((module) => module.prefixes.map((prefix) => ({ module, prefix })))
    .filter(({ prefix }) => prefix === '' || path === prefix || path.startsWith(`${prefix}/`));
  return fitting.sort((left, right) => right.prefix.length - left.prefix.length)[0]?.module;
}

/** In Fastify's words, which a handler of one's own replaces. */
const clientErrors: Readonly<Record<string, { readonly status: number; readonly message: string }>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, message: 'Client Timeout' },
  HPE_HEADER_OVERFLOW: { status: 431, message: 'Exceeded maximum allowed HTTP header size' },
};

function defaultMalformedAnswer({ code }: RequestFault): string {
  const { status, message } = clientErrors[code] ?? { status: 400, message: 'Client Error' };
  const error = STATUS_CODES[status] ?? '';
  const body = JSON.stringify({ error, message, statusCode: status });
  return `HTTP/1.1 ${status} ${error}\r\nContent-Length: ${body.length}\r\nContent-Type: application/json\r\n\r\n${body}`;
}

/** As Node itself does. */
function defaultExpectationRefusal(response: ServerResponse): void {
  response.writeHead(417, { connection: 'close' }).end();
}

/** Each request of HTTP/1.1 has to name the host that it is for. */
export function lacksHost({ headers, httpVersion }: IncomingMessage): boolean {
  return headers.host === undefined && httpVersion === '1.1';
}

/** In Fastify's words, too. */
function defaultBadPathAnswer({ code, message, statusCode = 400 }: FastifyError, reply: FastifyReply): void {
  reply.code(statusCode).send({ error: 'Bad Request', code, message, statusCode });
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
