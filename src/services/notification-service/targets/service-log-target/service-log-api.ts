/**
 * Calls to the Service Log API with a token: a refused token is replaced once and the call repeated once, redirects within the same server
 * are followed, answers are bounded in time and size. What an answer means is the callers' business. Used by `deliver-entry.ts` and
 * `look-up-entry.ts`. Source: notification-service.md 10.3.
 */
import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import { CcxError } from '../../../../encoding/ccx-error.ts';
import { cutUtf8 } from '../../../../encoding/cut-utf8.ts';
import { callHttp, type HttpAnswer } from '../../../../platform/http/http-client.ts';
import type { TokenSource } from './tokens.ts';

/** Answers of Service Log: an entry, or one page of them. */
const serviceLogAnswerBytesMax = 4 * 1024 * 1024;
/** Redirects within the same server that are followed; one adds or removes a slash. */
const redirectsMax = 3;
/** Text of an error answer that is repeated in our own error. */
const answerReasonBytesMax = 200;

export interface ServiceLogApi {
  /** Where entries are posted to. */
  readonly postUrl: string;
  /** Where a cluster's entries are listed; undefined when it cannot be told from the post address. */
  readonly listUrl: string | undefined;
  /** Rejects with the errors of `TokenSource` and of `callHttp`. A 401 that comes back is the answer to a new token. */
  call(request: ServiceLogRequest): Promise<HttpAnswer>;
}

interface ServiceLogRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly body?: string;
  readonly signal: AbortSignal;
}

interface ServiceLogApiOptions {
  /** As configured; `http://` is added to what does not start with `http`, as in the reference. */
  readonly url: string;
  /** One call, from the first byte sent to the last one received. */
  readonly timeoutMs: number;
  readonly tokens: TokenSource;
}

export function createServiceLogApi({ url, timeoutMs, tokens }: ServiceLogApiOptions): ServiceLogApi {
  const postUrl = url.startsWith('http') ? url : `http://${url}`;
  const callWith = (token: string, request: ServiceLogRequest) =>
    followWithinServer(request.url, (target) =>
      callHttp(target, {
        method: request.method,
        headers: {
          Authorization: `Bearer ${token}`,
          Accept: 'application/json',
          ...(request.body === undefined ? {} : { 'Content-Type': 'application/json' }),
        },
        ...(request.body === undefined ? {} : { body: request.body }),
        deadlineMs: timeoutMs,
        answerBytesMax: serviceLogAnswerBytesMax,
        signal: request.signal,
      }),
    );
  return {
    postUrl,
    listUrl: listUrlOf(postUrl),
    async call(request) {
      const token = await tokens.token();
      const answer = await callWith(token, request);
      return answer.status === 401 ? callWith(await tokens.replace(token), request) : answer;
    },
  };
}

/** `…/cluster_logs/` → `…/clusters/cluster_logs`. */
function listUrlOf(postUrl: string): string | undefined {
  const base = /^([^?#]*)\/cluster_logs\/*$/.exec(postUrl)?.[1];
  return base === undefined ? undefined : `${base}/clusters/cluster_logs`;
}

/** 307 and 308 repeat the request as it is, e.g. with or without a last slash. To another server the token does not go. */
async function followWithinServer(url: string, send: (url: string) => Promise<HttpAnswer>): Promise<HttpAnswer> {
  let target = url;
  for (let redirects = 0; ; redirects += 1) {
    const answer = await send(target);
    const location = answer.headers.get('location');
    if ((answer.status !== 307 && answer.status !== 308) || location === null || redirects >= redirectsMax)
      return answer;
    const next = URL.parse(location, target);
    if (next === null || next.origin !== new URL(target).origin) return answer;
    target = next.href;
  }
}

const errorDocument = z.object({
  kind: z.literal('Error'),
  code: z.string().optional(),
  reason: z.string().optional(),
});

/** The API's own error document, if the body is one. */
export function readErrorDocument(answer: HttpAnswer): { readonly reason: string } | undefined {
  const parsed = errorDocument.safeParse(jsonBody(answer));
  if (!parsed.success) return undefined;
  const text = (parsed.data.reason ?? '').replaceAll(/[\u0000-\u001f\u007f]+/g, ' ');
  return { reason: cutUtf8(text, answerReasonBytesMax) };
}

/** Undefined when the body is no JSON. */
export function jsonBody(answer: HttpAnswer): unknown {
  try {
    return JSON.parse(answer.body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** An answer as an error; the text has the status and its phrase, as the reference's. */
export function statusError(
  answer: HttpAnswer,
  code: string,
  options: { retryable: boolean; hint?: string },
): CcxError {
  const phrase = STATUS_CODES[answer.status];
  const reason = readErrorDocument(answer)?.reason ?? '';
  return new CcxError(
    `Service Log answers ${answer.status}${phrase === undefined ? '' : ` ${phrase}`}${reason === '' ? '' : `: ${reason}`}`,
    {
      code,
      category: 'delivery',
      retryable: options.retryable,
      ...(options.hint === undefined ? {} : { hint: options.hint }),
    },
  );
}
