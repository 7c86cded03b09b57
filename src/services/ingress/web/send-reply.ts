/** A `Reply` onto the wire, and the two replies that Go's router makes by itself. Source: ingress.md A.2. */
import type { FastifyReply } from 'fastify';
import { empty, goError, type Reply } from './reply.ts';

export function sendReply(response: FastifyReply, reply: Reply): FastifyReply {
  response.code(reply.status).headers(reply.headers);
  // As bytes: the server would add a charset to the type of a text, and the type of JSON is the reference's to the letter.
  return reply.body === '' ? response.send() : response.send(Buffer.from(reply.body));
}

export function notFound(): Reply {
  return goError(404, '404 page not found');
}

/** `allow` is empty for a method that nobody knows. */
export function methodNotAllowed(allow: string): Reply {
  return { ...empty(405), headers: allow === '' ? {} : { allow } };
}
