/**
 * The Service Log API: calls with a token, and the search for an entry that may be there already. A refused token is replaced once and the
 * call repeated once, redirects within the same server are followed, answers are bounded in time and size. What an answer means is
 * `deliver-entry.ts`'s business. Source: notification-service.md 10.3, consumers.md 2.4, 6.3.
 */
import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import { isUuid4 } from '../../../../contracts/identifiers.ts';
import { SERVICE_LOG_SERVICE_NAME, type ServiceLogEntry } from '../../../../contracts/service-log-entry.ts';
import { CcxError } from '../../../../encoding/ccx-error.ts';
import { cutUtf8 } from '../../../../encoding/cut-utf8.ts';
import { parseJsonBytes } from '../../../../encoding/json-text.ts';
import type { Clock } from '../../../../platform/clock/clock.ts';
import { callHttp, type HttpAnswer } from '../../../../platform/http/http-client.ts';
import type { TokenSource } from './tokens.ts';

/** Entries on one page of a look-up by content, and pages read. A cluster that gets more in a day has other troubles. */
export const lookUpPageSize = 100;
export const lookUpPagesMax = 5;
/** How far back a look-up by content searches; nothing of unknown outcome is tried again after 20 hours. */
const lookUpMs = 24 * 3_600_000;

/** Answers of Service Log: an entry, or one page of them. */
const serviceLogAnswerBytesMax = 4 * 1024 * 1024;
/** Redirects within the same server that are followed; one adds or removes a slash. */
const redirectsMax = 3;
/** Text of an error answer that is repeated in our own error. */
const answerReasonBytesMax = 200;

export type ServiceLogApi = ReturnType<typeof createServiceLogApi>;

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

export function createServiceLogApi({ url, timeoutMs, tokens }: ServiceLogApiOptions) {
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
        body: request.body,
        deadlineMs: timeoutMs,
        answerBytesMax: serviceLogAnswerBytesMax,
        signal: request.signal,
      }),
    );
  return {
    /** Where entries are posted to. */
    postUrl,
    /** Where a cluster's entries are listed; undefined when it cannot be told from the post address. */
    listUrl: listUrlOf(postUrl),
    /** Rejects with the errors of `TokenSource` and of `callHttp`. A 401 that comes back is the answer to a new token. */
    async call(request: ServiceLogRequest): Promise<HttpAnswer> {
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
  const parsed = errorDocument.safeParse(parseJsonBytes(answer.body));
  if (!parsed.success) return undefined;
  const text = (parsed.data.reason ?? '').replaceAll(/[\u0000-\u001f\u007f]+/g, ' ');
  return { reason: cutUtf8(text, answerReasonBytesMax) };
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
    { code, category: 'delivery', ...options },
  );
}

const recordSchema = z.object({
  id: z.string().default(''),
  service_name: z.string().default(''),
  severity: z.string().default(''),
  summary: z.string().default(''),
  description: z.string().default(''),
  event_stream_id: z.string().default(''),
});
type FoundRecord = z.infer<typeof recordSchema>;
const listAnswer = z.object({ items: z.array(recordSchema) });

interface LookUp {
  readonly api: ServiceLogApi;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

type LookUpResult =
  | { readonly kind: 'found'; readonly id: string }
  | { readonly kind: 'absent' }
  /** The server answered, but not the question. */
  | { readonly kind: 'no-answer'; readonly answer: HttpAnswer };

/**
 * Whether an entry is there already, asked before it is posted again: first by `event_stream_id`, which is the notification's id; then, for
 * a server that cannot be asked for it or does not keep it, by content. Rejects with the errors of the call, and with
 * `SERVICE_LOG_LOOK_UP` when what comes back does not tell.
 */
export async function lookUpEntry(entry: ServiceLogEntry, lookUp: LookUp): Promise<LookUpResult> {
  const byId = await search({ entry, expression: `event_stream_id='${entry.event_stream_id}'`, page: 1 }, lookUp);
  // 400: a server that does not know the column. The look-up by content follows.
  if ('status' in byId && byId.status !== 400) return { kind: 'no-answer', answer: byId };
  const same = 'items' in byId && byId.items.find((record) => record.event_stream_id === entry.event_stream_id);
  if (same) return { kind: 'found', id: same.id };

  const since = new Date(lookUp.clock.now().getTime() - lookUpMs).toISOString();
  const expression = `service_name='${SERVICE_LOG_SERVICE_NAME}' and severity='${entry.severity}' and created_at >= '${since}'`;
  for (let page = 1; page <= lookUpPagesMax; page += 1) {
    const recent = await search({ entry, expression, page }, lookUp);
    if ('status' in recent) return { kind: 'no-answer', answer: recent };
    const equal = recent.items.find((record) => isSameEntry(record, entry));
    if (equal !== undefined) return { kind: 'found', id: equal.id };
    if (recent.items.length < lookUpPageSize) return { kind: 'absent' };
  }
  throw lookUpFailure(`the cluster has ${lookUpPagesMax * lookUpPageSize} or more recent entries of ours`);
}

/**
 * A record with another id of ours in its stream id is another notification with the same text, sent earlier; only where the server put
 * an id of its own there can equal texts mean the same entry.
 */
function isSameEntry(record: FoundRecord, entry: ServiceLogEntry): boolean {
  return (
    (record.event_stream_id === entry.event_stream_id || !isUuid4(record.event_stream_id)) &&
    record.service_name === entry.service_name &&
    record.severity === entry.severity &&
    record.summary.trim() === entry.summary.trim() &&
    record.description.trim() === entry.description.trim()
  );
}

/** One page of the cluster's entries, newest first, or the answer that is none. */
async function search(
  { entry, expression, page }: { readonly entry: ServiceLogEntry; readonly expression: string; readonly page: number },
  { api, signal }: LookUp,
) {
  if (api.listUrl === undefined) {
    throw lookUpFailure('the address of the list is not known', 'service_log.url must end in /cluster_logs');
  }
  const query = new URLSearchParams({
    cluster_uuid: entry.cluster_uuid,
    search: expression,
    page: String(page),
    size: String(lookUpPageSize),
    order: 'id desc',
  });
  const answer = await api.call({ method: 'GET', url: `${api.listUrl}?${query}`, signal });
  if (answer.status !== 200) return answer;
  const parsed = listAnswer.safeParse(parseJsonBytes(answer.body));
  if (parsed.success) return parsed.data;
  throw lookUpFailure('the list has not the expected form');
}

function lookUpFailure(why: string, hint?: string): CcxError {
  return new CcxError(`entries cannot be looked up: ${why}`, {
    code: 'SERVICE_LOG_LOOK_UP',
    category: 'delivery',
    retryable: true,
    hint,
  });
}
