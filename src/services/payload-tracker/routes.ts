/** `GET /v1/payloads/{request_id}`: what is known of one request. Asked by ingress for `/track`, and by people. Source: ingress.md A.9. */
import type { FastifyInstance } from 'fastify';
import type { Database } from '../../platform/database/database.ts';
import { readTrace } from '../../platform/records/trace-log.ts';
import { trackerDocument } from './decide/tracker-document.ts';
import type { TrackerEvents } from './events.ts';

/** A path segment; a request id that is longer was never stored as it is. */
export const requestIdCharactersMax = 4_096;

export interface TrackerRoutes {
  readonly database: Database;
  readonly events: TrackerEvents;
}

export function registerTrackerRoutes(app: FastifyInstance, { database, events }: TrackerRoutes): void {
  app.get<{ Params: { '*': string } }>('/v1/payloads/*', async (request, reply) => {
    const requestId = request.params['*'];
    if (requestId === '' || requestId.length > requestIdCharactersMax) {
      return reply.code(400).send(problem(400, 'Bad Request', 'a request id is needed'));
    }
    try {
      const trace = await readTrace(database, requestId);
      if (trace.length > 0) return await reply.send(trackerDocument(trace));
    } catch (error) {
      events.questionFailed(error);
      return reply.code(503).send(problem(503, 'Service Unavailable', 'the database does not answer'));
    }
    // An empty list, because ingress looks at the document and not at the status.
    return reply.code(404).send({ ...problem(404, 'Not Found', `payload with id: ${requestId} not found`), data: [] });
  });
}

function problem(status: number, title: string, message: string) {
  return { title, message, status };
}
