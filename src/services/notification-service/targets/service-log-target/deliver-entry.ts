/**
 * One entry to Service Log, which knows no idempotency: after anything ambiguous it is looked up before it is posted again. Every failure
 * is a result. An answer is about the recipient of the entry, or about all of them, which one answer does not tell: the deliver step
 * judges. Source: consumers.md 2.3, 5.2 F15 to F19.
 */
import { z } from 'zod';
import { parseServiceLogEntry, type ServiceLogEntry } from '../../../../contracts/service-log-entry.ts';
import { type CcxError, unreachable } from '../../../../encoding/ccx-error.ts';
import { parseJsonBytes } from '../../../../encoding/json-text.ts';
import type { Clock } from '../../../../platform/clock/clock.ts';
import type { HttpAnswer } from '../../../../platform/http/http-client.ts';
import type { DeliveryAttempt, DeliveryResult } from '../../ports.ts';
import { retryAfterMs } from '../retry-after.ts';
import {
  asDeliveryFailure,
  deliveryFailure,
  retryAfterMs as notAcceptedAfterMs,
  pausedMisconfiguredMs,
  resultOfTransportFailure,
  unknownAfterMs,
} from '../transport-failure.ts';
import { lookUpEntry, readErrorDocument, type ServiceLogApi, statusError } from './service-log-api.ts';

/** A target whose token endpoint or secret store is away. */
export const pausedUnavailableMs = 60_000;
/** After 429 without a Retry-After. */
export const pausedLimitedMs = 60_000;

interface EntryDelivery {
  readonly api: ServiceLogApi;
  readonly clock: Clock;
}

export async function deliverEntry(attempt: DeliveryAttempt, delivery: EntryDelivery): Promise<DeliveryResult> {
  const { notification, mayHaveArrived, signal } = attempt;
  let entry: ServiceLogEntry;
  try {
    entry = checkedEntry(notification.id, notification.body);
  } catch (error) {
    return { kind: 'rejected', error: asCcxError(error) };
  }
  if (signal.aborted) {
    const error = deliveryFailure('the delivery was called off before it began', 'DELIVERY_ABORTED');
    return mayHaveArrived ? unknown(error) : { kind: 'retry', error, afterMs: notAcceptedAfterMs };
  }
  if (mayHaveArrived) {
    const known = await lookUp(entry, attempt, delivery);
    if (known !== 'absent') return known;
  }
  const posted = await post(entry, attempt, delivery);
  if (posted.kind !== 'unknown' || signal.aborted) return posted;
  const found = await lookUp(entry, attempt, delivery);
  // Absent now may still be on its way; the next attempt looks again before it posts.
  return found === 'absent' || found.kind !== 'delivered' ? posted : found;
}

async function post(
  entry: ServiceLogEntry,
  attempt: DeliveryAttempt,
  delivery: EntryDelivery,
): Promise<DeliveryResult> {
  const { notification, signal } = attempt;
  const { api, clock } = delivery;
  let answer: HttpAnswer;
  try {
    answer = await api.call({ method: 'POST', url: api.postUrl, body: notification.body, signal });
  } catch (error) {
    return resultOfCallError(error);
  }
  return resultOfAnswer(answer, entry, clock.now());
}

/**
 * Whether it is there already; `absent` when it certainly is not now. A look-up that fails leaves the outcome unknown, unless it fails for
 * a reason that may hold for the whole target.
 */
async function lookUp(
  entry: ServiceLogEntry,
  { signal }: DeliveryAttempt,
  { api, clock }: EntryDelivery,
): Promise<DeliveryResult | 'absent'> {
  try {
    const result = await lookUpEntry(entry, { api, clock, signal });
    if (result.kind === 'absent') return 'absent';
    if (result.kind === 'found') return { kind: 'delivered', detail: `${result.id} (found by look-up)` };
    const { status } = result.answer;
    if (status === 401 || status === 429) return resultOfAnswer(result.answer, entry, clock.now());
    return unknown(statusError(result.answer, 'SERVICE_LOG_LOOK_UP', { retryable: true }));
  } catch (error) {
    const failed = resultOfCallError(error);
    return failed.kind === 'unreachable' ? unknown(failed.error) : failed;
  }
}

function resultOfAnswer(answer: HttpAnswer, entry: ServiceLogEntry, now: Date): DeliveryResult {
  const meaning = classifyStatus(answer.status, readErrorDocument(answer) !== undefined);
  const wait = retryAfterMs(answer.headers.get('retry-after'), now);
  switch (meaning) {
    case 'created':
      return { kind: 'delivered', detail: describeEcho(answer, entry) };
    case 'rejected':
      return { kind: 'rejected', error: statusError(answer, 'SERVICE_LOG_REJECTED', { retryable: false }) };
    case 'recipient-unknown':
      return {
        kind: 'rejected',
        pauseMs: pausedMisconfiguredMs,
        error: statusError(answer, 'SERVICE_LOG_REJECTED', { retryable: false, hint: 'check service_log.url' }),
      };
    case 'unauthorized':
      return refused(answer, 'SERVICE_LOG_UNAUTHORIZED', {
        afterMs: pausedMisconfiguredMs,
        hint: 'a new token was refused too: check service_log.client_id and what it may do',
      });
    case 'refused':
      return refused(answer, 'SERVICE_LOG_REFUSED', {
        afterMs: pausedMisconfiguredMs,
        hint: 'check service_log.url and the permissions of service_log.client_id',
      });
    case 'limited':
      return refused(answer, 'SERVICE_LOG_LIMITED', { afterMs: wait ?? pausedLimitedMs });
    case 'not-accepted': {
      const error = statusError(answer, 'SERVICE_LOG_UNAVAILABLE', { retryable: true });
      return { kind: 'retry', error, afterMs: wait ?? notAcceptedAfterMs };
    }
    case 'ambiguous':
      return unknown(statusError(answer, 'SERVICE_LOG_AMBIGUOUS', { retryable: true }), wait);
    default:
      return unreachable(meaning);
  }
}

/** No answer: tokens and secrets fail before anything is posted; for the rest it depends on how far the request came. */
function resultOfCallError(thrown: unknown): DeliveryResult {
  const error = asCcxError(thrown);
  if (error.code.startsWith('SERVICE_LOG_')) return unknown(error);
  if (!error.code.startsWith('HTTP_')) {
    return { kind: 'paused', error, afterMs: error.retryable ? pausedUnavailableMs : pausedMisconfiguredMs };
  }
  return resultOfTransportFailure(error);
}

const echoSchema = z.object({
  id: z.string().default('without id'),
  cluster_uuid: z.string().optional(),
  summary: z.string().optional(),
  severity: z.string().optional(),
  service_name: z.string().optional(),
});

/** A server that stored something else than it was sent has stored it all the same: it is said, not posted again. */
function describeEcho(answer: HttpAnswer, entry: ServiceLogEntry): string {
  const parsed = echoSchema.safeParse(parseJsonBytes(answer.body));
  if (!parsed.success) return 'created, without an echo';
  const names = ['cluster_uuid', 'summary', 'severity', 'service_name'] as const;
  const differing = names.filter((name) => parsed.data[name] !== entry[name]);
  return differing.length === 0 ? parsed.data.id : `${parsed.data.id} (the echo differs in ${differing.join(', ')})`;
}

function checkedEntry(id: string, body: string): ServiceLogEntry {
  const entry = parseServiceLogEntry(body);
  if (entry.event_stream_id === id) return entry;
  throw deliveryFailure('the ids of the notification and its body differ', 'SERVICE_LOG_ENTRY_INVALID');
}

function unknown(error: CcxError, afterMs = unknownAfterMs): DeliveryResult {
  return { kind: 'unknown', error, afterMs };
}

function refused(answer: HttpAnswer, code: string, options: { afterMs: number; hint?: string }): DeliveryResult {
  const error = statusError(answer, code, { retryable: true, hint: options.hint });
  return { kind: 'refused', error, afterMs: options.afterMs };
}

function asCcxError(thrown: unknown): CcxError {
  return asDeliveryFailure(thrown, 'Service Log', 'HTTP_UNEXPECTED');
}

/**
 * - `created`: the entry exists.
 * - `rejected`: this entry will never be accepted; others may.
 * - `recipient-unknown`: the API does not know the cluster, or the address is wrong.
 * - `unauthorized`: the token is refused.
 * - `refused`: permission or address is wrong. Service Log answers 403 for single clusters, so this may be about one recipient.
 * - `limited`: too many requests, of this recipient or of all.
 * - `not-accepted`: certainly not, may be later.
 * - `ambiguous`: the entry may exist.
 */
export type StatusMeaning =
  | 'created'
  | 'rejected'
  | 'recipient-unknown'
  | 'unauthorized'
  | 'refused'
  | 'limited'
  | 'not-accepted'
  | 'ambiguous';

/** Codes of the 4xx range that are about who sends, the address or a proxy, not about what this entry says. */
const notAboutTheEntry = new Set([402, 403, 405, 406, 407, 411, 415, 417, 421, 426, 431, 511]);

/** `fromServiceLog`: the body is the API's own error document. A 404 without it comes from something else that answers at that address. */
export function classifyStatus(status: number, fromServiceLog: boolean): StatusMeaning {
  if (status === 201) return 'created';
  if (status === 401) return 'unauthorized';
  if (status === 429) return 'limited';
  // 425 is "too early, say it again"; 503 is what the SDK tries again for any method.
  if (status === 425 || status === 503) return 'not-accepted';
  // The server gave up waiting for a request that it may have, or has one that conflicts, perhaps this one.
  if (status === 408 || status === 409) return 'ambiguous';
  if (notAboutTheEntry.has(status) || (status >= 300 && status < 400)) return 'refused';
  if (status === 404 || status === 410) return fromServiceLog ? 'recipient-unknown' : 'refused';
  if (status >= 400 && status < 500) return 'rejected';
  return 'ambiguous';
}
