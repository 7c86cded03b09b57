/**
 * The one port of the all-in-one process. Services mount what they answer below their own paths; here is what belongs to none of them: the
 * front page, whether uploads can be taken, and that there is nothing else. Made by `start-all-in-one.ts`.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ConnectionMemory } from '../platform/http/connection-memory.ts';
import {
  createHttpServer,
  gatherNoBodies,
  type HttpServer,
  type HttpServerOptions,
} from '../platform/http/http-server.ts';
import type { Readiness } from '../platform/lifecycle/lifecycle.ts';

/** Bodies that a module does not read as streams; one that needs more says so at its route. */
const bodyBytesMax = 1024 ** 2;

interface FrontOptions {
  /** Whether uploads can be taken. */
  readonly ready: () => Promise<Readiness>;
  /** What a browser gets at `/`; without it what a probe gets. */
  readonly frontPage?: (request: FastifyRequest, reply: FastifyReply) => unknown;
}

export function createWebServer(
  options: Pick<HttpServerOptions, 'host' | 'port' | 'connectionsMax' | 'clock' | 'tls' | 'certificate'>,
): HttpServer {
  return createHttpServer({
    ...options,
    portSetting: '--port',
    bodyBytesMax,
    memory: new ConnectionMemory(),
    hasInside: true,
  });
}

export function mountFront(server: HttpServer, { ready, frontPage }: FrontOptions): void {
  server.mount({
    prefixes: [''],
    // It is in no room: it reads no body and answers at once, so that a connection is kept alive and gives way.
    asksForBodies: true,
    plugin: (scope) => {
      gatherNoBodies(scope);
      scope.route({
        method: ['GET', 'HEAD'],
        url: '/',
        handler: (request, reply) =>
          frontPage !== undefined && wantsPage(request) ? frontPage(request, reply) : sendText(reply, 'lubdub'),
      });
      scope.get('/ready', async (_request, reply) => {
        const answer = await ready();
        return reply.code(answer.ready ? 200 : 503).send(answer);
      });
      scope.setNotFoundHandler((_request, reply) => sendText(reply.code(404), 'not found\n'));
    },
  });
}

/** A person's browser asks for a page; probes, the operator and curl do not. */
function wantsPage({ headers }: FastifyRequest): boolean {
  return /(?:^|,)\s*text\/html\s*(?:[;,]|$)/i.test(headers.accept ?? '');
}

function sendText(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('text/plain; charset=utf-8').send(text);
}
