/**
 * What the read API answers over HTTP: the tables of routes on a server that others may share, with manners of its own. JSON only, refusals
 * with words and a code, an ETag on every answer, no CORS headers. Mounted by `service.ts`.
 */
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { Authenticator } from '../../../platform/auth/authenticator.ts';
import { isLoopback } from '../../../platform/auth/locality.ts';
import { credentialsOf } from '../../../platform/auth/request-credentials.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import { within } from '../../../platform/clock/deadline.ts';
import { sqlState } from '../../../platform/database/database-error.ts';
import type { ConnectionRoom } from '../../../platform/http/connections.ts';
import { type HttpModule, pathOf } from '../../../platform/http/http-server.ts';
import type { ResultsEvents } from '../telemetry.ts';
import type { RouteTable } from './openapi.ts';
import {
  type Answer,
  type Call,
  EarlyAnswer,
  parametersIn,
  pathParameters,
  type Route,
  refusal,
  refuse,
} from './route.ts';

/** Several hundred request ids. */
const bodyBytesMax = 256 * 1024;
/** To whoever runs the service; others read at least that it is not their doing. */
const rightsMissing =
  'the user of this service lacks rights in the database: ccx db grants --for results prints what it needs';
/** A database that is away is back in seconds, or takes long. */
const retryAfterSeconds = 10;

interface ResultsModuleOptions {
  readonly tables: readonly RouteTable[];
  readonly authenticator: Pick<Authenticator, 'authenticateReader'>;
  readonly room: ConnectionRoom;
  readonly clock: Clock;
  readonly events: ResultsEvents;
  /** Address that the server listens on. */
  readonly host: string;
  /** Names that requests may be for, where that address is this machine's own. */
  readonly allowedHosts: readonly string[];
  /** Of one answer: more than a statement may take. */
  readonly answerMsMax: number;
}

export function createResultsModule(options: ResultsModuleOptions): HttpModule {
  return {
    prefixes: options.tables.map(({ prefix }) => prefix),
    plugin: (scope, prefix) => {
      behave(scope, options);
      const table = options.tables.find((one) => one.prefix === prefix)!;
      for (const route of table.routes) addRoute(scope, route, options);
      scope.setNotFoundHandler((request, reply) => send(request, reply, unroutable(request, table)));
    },
    answerBadPath: (request, reply) =>
      send(request, reply, refusal(400, 'PATH_INVALID', 'the path is not percent-encoded UTF-8')),
    onConnectionRefused: () => options.events.connectionRefused(),
  };
}

function behave(scope: FastifyInstance, options: ResultsModuleOptions): void {
  const { room, events } = options;
  scope.removeAllContentTypeParsers();
  // Read as text whatever it says it is: a route that takes none does not look at it.
  scope.addContentTypeParser('*', { parseAs: 'string', bodyLimit: bodyBytesMax }, (_request, body, done) =>
    done(null, body),
  );
  scope.addHook('onRequest', async (request, reply) => {
    events.requestTaken();
    reply.raw.once('close', () =>
      events.requestAnswered(request.routeOptions.url ?? 'none', reply.statusCode, reply.elapsedTime),
    );
    if (!room.admit(request.raw, reply.raw)) {
      reply.header('connection', 'close');
      return send(request, reply, away('TOO_MANY_CONNECTIONS', 'too many connections, try again later'));
    }
    if (isForUs(request.headers.host, options)) return undefined;
    events.hostRefused();
    const hint = 'the request is for a host that this is not; http.allowed_hosts names others';
    return send(request, reply, refusal(421, 'HOST_UNKNOWN', hint));
  });
  scope.setErrorHandler((error, request, reply) => send(request, reply, answerOf(error, request, events)));
}

/** A page of somebody else's, whose name leads to this machine, would otherwise read through a person's browser what only this machine may. */
function isForUs(
  header: string | undefined,
  { host, allowedHosts }: Pick<ResultsModuleOptions, 'host' | 'allowedHosts'>,
): boolean {
  if (!isLoopback(host)) return true;
  const given = (header ?? '').toLowerCase();
  const named = /^\[(.*)\](?::\d+)?$/.exec(given)?.[1] ?? given.replace(/:\d+$/, '');
  return (
    isLoopback(named) || named === host.toLowerCase() || allowedHosts.includes(named) || allowedHosts.includes(given)
  );
}

function addRoute(scope: FastifyInstance, route: Route, options: ResultsModuleOptions): void {
  const { authenticator, clock, host, answerMsMax } = options;
  scope.route<{ Params: Record<string, string>; Querystring: unknown; Body: string | undefined }>({
    method: [...methodsOf(route)],
    url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    async handler(request, reply) {
      const authenticated = await authenticator.authenticateReader(credentialsOf(request, host));
      if (authenticated.kind === 'refused') {
        const { status, code, text } = authenticated.refusal;
        if (status === 503) return send(request, reply, away(code, text));
        const headers: Record<string, string> = status === 401 ? { 'www-authenticate': 'Bearer' } : {};
        return send(request, reply, refusal(status, code, text, headers));
      }
      const call: Call<unknown, unknown> = {
        reader: authenticated.reader,
        path: pathValues(route, request.params),
        query: route.query === undefined ? {} : checkedQuery(route.query, request.query),
        body: route.body === undefined ? undefined : checkedBody(route, request),
        origin: request.socket.remoteAddress ?? '',
      };
      const answering = route.handle(call as Call<never, never>);
      return send(request, reply, await within(answering, { clock, ms: answerMsMax }, late));
    },
  });
}

/** Whoever may read something may ask how it stands, too: the same headers without a body. */
function methodsOf({ method }: Route): readonly string[] {
  return method === 'GET' ? ['GET', 'HEAD'] : [method];
}

function late(): Answer {
  return away('TOO_SLOW', 'this took too long, try again later');
}

function away(code: string, words: string): Answer {
  return refusal(503, code, words, { 'retry-after': String(retryAfterSeconds) });
}

function pathValues(route: Route, params: Readonly<Record<string, string>>): Call['path'] {
  const values = parametersIn(route.path).map((name) => {
    const { read, words } = pathParameters[name];
    const code = `${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}_INVALID`;
    return [name, read(params[name] ?? '') ?? refuse(400, code, words)];
  });
  return Object.fromEntries(values) as Call['path'];
}

function checkedQuery(schema: z.ZodType, query: unknown): unknown {
  const result = schema.safeParse(query);
  return result.success ? result.data : refuse(400, 'QUERY_INVALID', faultOf(result.error));
}

function checkedBody(route: Route, request: FastifyRequest<{ Body: string | undefined }>): unknown {
  const text = request.body ?? '';
  const isNone = text === '' && route.mayOmitBody === true;
  if (!isNone && !/^application\/json\s*(?:;|$)/i.test(request.headers['content-type'] ?? ''))
    refuse(415, 'BODY_NOT_JSON', 'the body has to be application/json');
  let value: unknown;
  try {
    value = isNone ? {} : JSON.parse(text);
  } catch {
    refuse(400, 'BODY_NOT_JSON', 'the body is not JSON');
  }
  const result = route.body!.safeParse(value);
  return result.success ? result.data : refuse(400, 'BODY_INVALID', faultOf(result.error));
}

/** The first one; what was sent is not repeated. */
function faultOf({ issues: [issue] }: z.ZodError): string {
  return issue === undefined
    ? 'it cannot be understood'
    : [issue.path.join('.'), issue.message].filter(Boolean).join(': ');
}

function unroutable(request: FastifyRequest, { prefix, routes }: RouteTable): Answer {
  const path = pathOf(request.raw.url).slice(prefix.length);
  const allowed = routes.filter((route) => patternOf(route.path).test(path)).flatMap(methodsOf);
  if (allowed.length === 0) return refusal(404, 'PATH_UNKNOWN', 'there is nothing at this path');
  const methods = [...new Set(allowed)].join(', ');
  return refusal(405, 'METHOD_NOT_ALLOWED', `this path takes ${methods}`, { allow: methods });
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`);
}

function answerOf(error: unknown, request: FastifyRequest, events: ResultsEvents): Answer {
  if (error instanceof EarlyAnswer) return error.answer;
  // The server could not make sense of the request before any of our code saw it.
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  if (status === 413) return refusal(413, 'BODY_TOO_LARGE', `the body has more than ${bodyBytesMax} bytes`);
  if (status >= 400 && status < 500) return refusal(status, 'REQUEST_INVALID', 'the request cannot be understood');
  if (error instanceof CcxError && error.category === 'input') return refusal(400, error.code, error.message);
  events.requestFailed(request.routeOptions.url ?? 'none', error);
  // A statement that was cut short, too: the next one may find the server less busy.
  if (error instanceof CcxError && (error.retryable || sqlState(error) === '57014'))
    return away(error.code, 'this cannot be answered now, try again later');
  if (error instanceof CcxError && error.code === 'DATABASE_PERMISSION') return away(error.code, rightsMissing);
  return refusal(500, 'UNKNOWN', 'this failed; the log says why');
}

function send(request: FastifyRequest, reply: FastifyReply, { status, body, headers = {} }: Answer): FastifyReply {
  reply.code(status).headers(headers);
  if (body === undefined) return reply.send();
  const bytes = Buffer.from(JSON.stringify(body));
  reply.header('content-type', 'application/json; charset=utf-8').header('x-content-type-options', 'nosniff');
  if (!['GET', 'HEAD'].includes(request.method) || status !== 200)
    return reply.header('cache-control', 'no-store').send(bytes);
  // Of the bytes: so it covers the report, what is acknowledged of it and the texts, by their being in it.
  const etag = `"${createHash('sha256').update(bytes).digest('base64url')}"`;
  reply.header('etag', etag).header('cache-control', 'private, no-cache');
  return isKnown(request.headers['if-none-match'], etag) ? reply.code(304).send() : reply.send(bytes);
}

function isKnown(header: string | undefined, etag: string): boolean {
  const known = (header ?? '').split(',').map((one) => one.trim().replace(/^W\//, ''));
  return known.includes(etag) || known.includes('*');
}
