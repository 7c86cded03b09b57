/** Answers of the web listener, worded and typed as Go's HTTP server and the reference's handlers do. Source: ingress.md A.2, A.4.6. */
import { STATUS_CODES } from 'node:http';
import { stringifyLikeGo } from '../../../encoding/go-decoder.ts';

export interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Why it was refused: a metric label and what tests look for; undefined for successes. */
  readonly code?: string;
}

const plainText = { 'content-type': 'text/plain; charset=utf-8' };

export function json(status: number, document: unknown): Reply {
  return { status, body: stringifyLikeGo(document), headers: { 'content-type': 'application/json' } };
}

/** Text that a handler writes itself: without a line end. */
export function text(status: number, body: string, code?: string): Reply {
  return { status, body, headers: plainText, ...(code === undefined ? {} : { code }) };
}

/** What Go's `http.Error` writes. */
export function goError(status: number, message: string, code?: string): Reply {
  return {
    status,
    body: `${message}\n`,
    headers: { ...plainText, 'x-content-type-options': 'nosniff' },
    ...(code === undefined ? {} : { code }),
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
  return { status, body: '', headers: {}, ...(code === undefined ? {} : { code }) };
}

/** Overload or an outage of ours: the operator tries again later. */
export function unavailable(retryAfterSeconds: number, message: string, code: string): Reply {
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
