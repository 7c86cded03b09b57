/** Answers of the web listener, worded and typed as Go's HTTP server and the reference's handlers do. Source: ingress.md A.2, A.4.6. */
import { STATUS_CODES } from 'node:http';
import type { FastifyReply } from 'fastify';
import { stringifyLikeGo } from '../../encoding/go-decoder.ts';
import type { Refusal } from '../../platform/auth/authenticator.ts';

export interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Why it was refused: a metric label and what tests look for; undefined for successes. */
  readonly code?: string | undefined;
}

/** Ends an upload before its last step, with this answer: a refusal, or the answer to a test. The one way to do so. */
export class EarlyReply extends Error {
  readonly reply: Reply;

  constructor(reply: Reply) {
    super(reply.code ?? '');
    this.reply = reply;
  }
}

const retryAfterSeconds = 30;

const plainText = { 'content-type': 'text/plain; charset=utf-8' };

export function json(status: number, document: unknown): Reply {
  return { status, body: stringifyLikeGo(document), headers: { 'content-type': 'application/json' } };
}

/** Text that a handler writes itself: without a line end. */
export function text(status: number, body: string, code?: string): Reply {
  return { status, body, headers: plainText, code };
}

/** What Go's `http.Error` writes. */
export function goError(status: number, message: string, code?: string): Reply {
  return {
    status,
    body: `${message}\n`,
    headers: { ...plainText, 'x-content-type-options': 'nosniff' },
    code,
  };
}

/** What Go's server itself writes where no handler is asked; it then closes the connection. */
export function goServerError(status: number, detail = ''): Reply {
  return {
    status,
    body: `${status} ${STATUS_CODES[status]}${detail}`,
    headers: { ...plainText, connection: 'close' },
  };
}

export function empty(status: number, code?: string): Reply {
  return { status, body: '', headers: {}, code };
}

/** Overload or an outage of ours: the operator tries again later. */
export function unavailable(message: string, code: string): Reply {
  const reply = goError(503, message, code);
  return { ...reply, headers: { ...reply.headers, 'retry-after': String(retryAfterSeconds) } };
}

/** The body of every successful upload and test; members that are empty are left out, `upload` never is. */
export function uploadBody(requestId: string, account: string, orgId: string): unknown {
  return {
    request_id: requestId,
    upload: { ...(account === '' ? {} : { account_number: account }), ...(orgId === '' ? {} : { org_id: orgId }) },
  };
}

/** Why nobody is believed to be who they say. */
export function authenticationRefused({ status, text: message, code }: Refusal): Reply {
  if (status === 503) return unavailable(message, code);
  const refusal = goError(status, message, code);
  return status === 401 ? { ...refusal, headers: { ...refusal.headers, 'www-authenticate': 'Bearer' } } : refusal;
}

/** A `Reply` onto the wire, and the two replies that Go's router makes by itself. Source: ingress.md A.2. */
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
