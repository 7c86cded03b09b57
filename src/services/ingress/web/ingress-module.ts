/**
 * What ingress answers over HTTP: which path leads to what, under both prefixes, and the request id that every answer carries. Answers for
 * unknown paths and methods are those of Go's chi router. A module: below its own paths these manners hold, on whatever server it is
 * mounted, and nowhere else. Mounted by `service.ts`. Source: ingress.md A.2, A.3.1.
 */
import { STATUS_CODES } from 'node:http';
import { isIP } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HEADER_REQUEST_ID } from '../../../contracts/topics.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { Principal } from '../../../platform/auth/authenticator.ts';
import { credentialsOf, firstHeader } from '../../../platform/auth/request-credentials.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import type { ConnectionRoom } from '../../../platform/http/connections.ts';
import {
  gatherNoBodies,
  type HttpModule,
  lacksHost,
  type RequestFault,
  waitsToSend,
} from '../../../platform/http/http-server.ts';
import type { Readiness } from '../../../platform/lifecycle/lifecycle.ts';
import { isObjectKey } from '../../../platform/objects/object-errors.ts';
import { isReservedKey } from '../../../platform/objects/object-store.ts';
import type { DownloadLinks } from '../download-links.ts';
import { formBoundary } from '../multipart-reader.ts';
import { createUploadPipeline, type UploadPipeline } from '../pipeline.ts';
import {
  authenticationRefused,
  empty,
  goError,
  goServerError,
  json,
  methodNotAllowed,
  notFound,
  type Reply,
  sendReply,
  text,
  unavailable,
} from '../reply.ts';
import { drainBytesMax, RequestBody } from '../request-body.ts';
import type { IncomingUpload } from '../upload.ts';
import type { UploadDependencies } from '../upload-dependencies.ts';
import { serveDownload } from './download-route.ts';
import { openapiDocument } from './openapi-document.ts';
import { pathOf, pathSegment, queryOf, segmentBehind } from './request-path.ts';
import { answerTrack } from './track-route.ts';

/** The same of a body that is no form: a genuine test's ends long before. */
const noFormDrainBytesMax = 64 * 1024;
/** The same under overload, when reading is what we cannot afford. */
const overloadDrainBytesMax = 1024 ** 2;

/** Becomes a storage key, a Kafka value and a URL; a gateway's are 32 characters. */
const requestIdCharactersMax = 128;
const drainMsMax = 5_000;

export const WEB_PREFIXES = ['/api/ingress/v1', '/r/insights/platform/ingress/v1'] as const;

const downloadPrefix = '/download';

/** Methods that chi knows; another one is answered without `Allow`. */
const knownMethods = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE']);

export interface IngressModuleOptions extends UploadDependencies {
  /** Absent where the object store serves archives itself. */
  readonly download: DownloadLinks | undefined;
  readonly ready: () => Promise<Readiness>;
  /** Room for connections with an upload in work, and for those with any other request. */
  readonly rooms: { readonly uploads: ConnectionRoom; readonly reads: ConnectionRoom };
}

/** What ingress answers on a server that others may share: all below its two prefixes, and the archives. */
export function createIngressModule(options: IngressModuleOptions): HttpModule {
  const handleUpload = createUploadPipeline(options);
  return {
    ...goManners(options),
    prefixes: options.download === undefined ? WEB_PREFIXES : [...WEB_PREFIXES, downloadPrefix],
    plugin: (scope, prefix) => {
      speakLikeGo(scope, options);
      if (prefix === downloadPrefix) addDownload(scope, options);
      else addRoutes(scope, prefix, handleUpload, options);
    },
    onConnectionRefused: options.events.connectionRefused,
  };
}

/** What it answers besides on a server of its own: that it is there, whether it is ready, and that there is nothing else. */
export function createIngressRoot(options: IngressModuleOptions): HttpModule {
  return {
    ...goManners(options),
    prefixes: [''],
    plugin: (scope) => {
      speakLikeGo(scope, options);
      scope.get('/', (_request, response) => sendReply(response, lubdub()));
      scope.get('/ready', async (_request, response) => {
        const ready = await options.ready();
        return sendReply(response, json(ready.ready ? 200 : 503, ready));
      });
    },
  };
}

type Manners = Pick<HttpModule, 'answerBadPath' | 'asksForBodies' | 'refusesMissingHosts' | 'refuseExpectation'>;

function goManners(options: IngressModuleOptions): Manners {
  return {
    // A client that asks first is asked to go on only when its body is wanted.
    asksForBodies: true,
    refusesMissingHosts: true,
    refuseExpectation: (response) => {
      response.writeHead(417, { [HEADER_REQUEST_ID]: newRequestId(options.clock), connection: 'close' }).end();
    },
    answerBadPath: (request, response) => {
      const refusal = giveRequestId(request, response, options);
      const isUrl = !/%(?![0-9A-Fa-f]{2})/.test(pathOf(request));
      sendReply(response, refusal ?? (isUrl ? unroutable(request, options) : goServerError(400)));
    },
  };
}

/** Go's server and chi's router, as far as a client can tell them from Node's and Fastify's. */
function speakLikeGo(scope: FastifyInstance, options: IngressModuleOptions): void {
  const { clock, rooms, events } = options;
  gatherNoBodies(scope);
  scope.addHook('onRequest', async (request, response) => {
    const refusal = giveRequestId(request, response, options) ?? hostRefusal(request);
    if (refusal !== undefined) return await answer(request, response, refusal, clock);
    const room = isUpload(request) ? rooms.uploads : rooms.reads;
    if (room.admit(request.raw, response.raw)) return undefined;
    events.connectionRefused();
    response.header('connection', 'close');
    return sendReply(response, unavailable('too many connections, try again later', 'TOO_MANY_CONNECTIONS'));
  });
  scope.setErrorHandler(async (error, request, response) => {
    events.requestFailed(requestIdOf(response), error);
    if (error instanceof CcxError && error.retryable) {
      return sendReply(response, unavailable('this cannot be answered now, try again later', error.code));
    }
    return sendReply(response, isClientError(error) ? badUpload(request) : empty(500));
  });
  scope.setNotFoundHandler((request, response) => sendReply(response, unroutable(request, options)));
}

function isUpload(request: FastifyRequest): boolean {
  return request.method === 'POST' && request.routeOptions.url?.endsWith('/upload') === true;
}

/** No route has this path and method. */
function unroutable(request: FastifyRequest, options: IngressModuleOptions): Reply {
  if (!knownMethods.has(request.method)) return methodNotAllowed('');
  const allow = allowedMethod(request, options);
  // Its own method is no route where the path cannot be decoded.
  return allow === undefined || allow === request.method ? notFound() : methodNotAllowed(allow);
}

/** On a server of its own: what Node could not read, in the words of Go's server, and with a request id, too. */
export function malformedAnswer({ code, packet }: RequestFault, clock: Clock): string {
  // Go takes any word for a method, Node a list of them.
  const isOtherMethod =
    code === 'HPE_INVALID_METHOD' &&
    /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP\/1\.[01]\r?\n/.test(packet.toString('latin1'));
  const timedOut = code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const status = isOtherMethod ? 405 : code === 'HPE_HEADER_OVERFLOW' ? 431 : timedOut ? 408 : 400;
  const reply = isOtherMethod ? methodNotAllowed('') : goServerError(status);
  const headers = { ...reply.headers, [HEADER_REQUEST_ID]: newRequestId(clock), 'content-length': reply.body.length };
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${reply.body}`;
}

function hostRefusal(request: FastifyRequest): Reply | undefined {
  return lacksHost(request.raw) ? goServerError(400, ': missing required Host header') : undefined;
}

/** A client that waits for `100 Continue` gets it when its body is read. */
function bodyOf(request: FastifyRequest, response: FastifyReply, clock: Clock): RequestBody {
  const askForBody = waitsToSend(request.raw) ? () => response.raw.writeContinue() : undefined;
  return new RequestBody(request.raw, clock, askForBody);
}

function addRoutes(
  scope: FastifyInstance,
  prefix: string,
  handleUpload: UploadPipeline,
  options: IngressModuleOptions,
): void {
  const { authenticator, settings } = options;
  const identified =
    (handle: (request: FastifyRequest, principal: Principal) => Promise<Reply> | Reply) =>
    async (request: FastifyRequest, response: FastifyReply) => {
      const authenticated = await authenticator.authenticate(credentialsOf(request, settings.host));
      const reply =
        authenticated.kind === 'refused'
          ? authenticationRefused(authenticated.refusal)
          : await handle(request, authenticated.principal);
      return await answer(request, response, reply, options.clock);
    };
  const version = json(200, { version: settings.version, commit: settings.commit });
  const openapi = json(200, openapiDocument(settings.version));

  // With and without a slash at its end.
  scope.get('/', identified(lubdub));
  scope.get('/version', (_request, response) => sendReply(response, version));
  scope.get('/openapi.json', (_request, response) => sendReply(response, openapi));
  scope.post('/upload', (request, response) => answerUpload(request, response, handleUpload, options));
  if (!authenticator.enabled) return;
  scope.get(
    '/track/*',
    identified(async (request, principal) => {
      const id = pathSegment(request, `${prefix}/track/`);
      if (id === undefined) return notFound();
      const verbosity = new URLSearchParams(queryOf(request)).get('verbosity');
      return await answerTrack({ id, verbosity }, principal, options);
    }),
  );
}

function addDownload(scope: FastifyInstance, { objects, download: links }: IngressModuleOptions): void {
  if (links === undefined) return;
  scope.get('/*', (request, response) => serveDownload(request, response, { objects, links }));
}

function lubdub(): Reply {
  return text(200, 'lubdub');
}

async function answerUpload(
  request: FastifyRequest,
  response: FastifyReply,
  handleUpload: UploadPipeline,
  { clock, settings, slots, events }: IngressModuleOptions,
): Promise<FastifyReply> {
  const upload: IncomingUpload = {
    requestId: requestIdOf(response),
    contentType: request.headers['content-type'],
    query: queryOf(request),
    ...credentialsOf(request, settings.host),
    clientAddress: clientAddress(request),
    body: bodyOf(request, response, clock),
    receivedMs: clock.monotonicMs(),
  };
  let reply: Reply;
  try {
    reply = await slots.watch(upload.body, () => handleUpload(upload));
  } catch (error) {
    events.requestFailed(upload.requestId, error);
    reply = empty(500, 'UNKNOWN');
  }
  events.uploadAnswered(upload, reply.status);
  return await answer(request, response, reply, clock, upload.body);
}

/**
 * Sends a reply after what is left of the body was thrown away: a client that still writes would otherwise see a reset connection and not
 * our status. Bounded; beyond that the connection is closed.
 */
async function answer(
  request: FastifyRequest,
  response: FastifyReply,
  reply: Reply,
  clock: Clock,
  body = bodyOf(request, response, clock),
): Promise<FastifyReply> {
  const isForm = formBoundary(request.headers['content-type']) !== undefined;
  const bytesMax = !isForm ? noFormDrainBytesMax : reply.status === 503 ? overloadDrainBytesMax : drainBytesMax;
  const isAtEnd = await body.drain({ bytesMax, msMax: drainMsMax });
  if (!isAtEnd) response.header('connection', 'close');
  return sendReply(response, reply);
}

function giveRequestId(
  request: FastifyRequest,
  response: FastifyReply,
  { clock, settings, authenticator }: IngressModuleOptions,
): Reply | undefined {
  const given = authenticator.keepsRequestId(credentialsOf(request, settings.host))
    ? firstHeader(request, HEADER_REQUEST_ID)
    : undefined;
  const decision = decideRequestId(given);
  response.header(HEADER_REQUEST_ID, decision.kind === 'given' ? decision.id : newRequestId(clock));
  return decision.kind === 'refused' ? goError(400, 'Bad Request: invalid x-rh-insights-request-id header') : undefined;
}

/**
 * Which request id an upload gets. The client's own is kept as it is, since later everything is found by it; what cannot be a storage key,
 * a header and a line of a log is refused. Source: ingress.md A.3.1.
 */
export function decideRequestId(
  header: string | undefined,
): { readonly kind: 'given'; readonly id: string } | { readonly kind: 'absent' | 'refused' } {
  if (header === undefined || header === '') return { kind: 'absent' };
  const isUsable =
    header.length <= requestIdCharactersMax &&
    /^[\x20-\x7e]+$/.test(header) &&
    /[A-Za-z0-9]/.test(header) &&
    isObjectKey(header) &&
    !isReservedKey(header);
  return isUsable ? { kind: 'given', id: header } : { kind: 'refused' };
}

function newRequestId(clock: Clock): string {
  return clock.uuid().replaceAll('-', '');
}

function requestIdOf(response: FastifyReply): string {
  return String(response.getHeader(HEADER_REQUEST_ID) ?? '');
}

/** For the log, as the proxies in front tell it. Source: ingress.md A.3.3. */
function clientAddress(request: FastifyRequest): string {
  const told =
    firstHeader(request, 'true-client-ip') ??
    firstHeader(request, 'x-real-ip') ??
    firstHeader(request, 'x-forwarded-for')?.split(',', 1)[0]?.trim();
  return told !== undefined && isIP(told) !== 0 ? told : (request.socket.remoteAddress ?? '');
}

/** The method that the path is there for, undefined for a path that is not there. */
function allowedMethod(request: FastifyRequest, options: IngressModuleOptions): string | undefined {
  const path = pathOf(request);
  if (path === '/' || path === '/ready') return 'GET';
  if (options.download !== undefined && segmentBehind(path, `${downloadPrefix}/`) !== undefined) return 'GET';
  for (const prefix of WEB_PREFIXES) {
    if (path === `${prefix}/upload`) return 'POST';
    if ([prefix, `${prefix}/`, `${prefix}/version`, `${prefix}/openapi.json`].includes(path)) return 'GET';
    if (options.authenticator.enabled && segmentBehind(path, `${prefix}/track/`) !== undefined) return 'GET';
  }
  return undefined;
}

/** The server could not make sense of the request before any of our code saw it. */
function isClientError(error: unknown): boolean {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  return status >= 400 && status < 500;
}

function badUpload(request: FastifyRequest): Reply {
  return request.url.includes('/upload')
    ? text(400, 'File or upload field not found', 'FORM_INVALID')
    : goError(400, 'Bad Request');
}
