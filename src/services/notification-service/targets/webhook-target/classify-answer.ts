/**
 * What an answer of a webhook means. It has one recipient, so whatever is wrong with who sends, or with the address, pauses it; the message
 * alone is at fault only where the answer says so. Pure.
 */
import { STATUS_CODES } from 'node:http';
import { CcxError } from '../../../../encoding/ccx-error.ts';
import type { DeliveryResult } from '../../ports.ts';
import { retryAfterMs as notAcceptedAfterMs, pausedMisconfiguredMs, unknownAfterMs } from '../transport-failure.ts';

/** Between two attempts after 410; three of them over an hour, and a person has to look. */
export const goneAfterMs = 30 * 60_000;
/** After 429 without a Retry-After. */
const limitedAfterMs = 60_000;

/** 4xx that speak of the message and of nothing else. */
const aboutTheMessage: ReadonlySet<number> = new Set([400, 406, 413, 415, 422, 431]);

export function resultOfStatus(
  status: number,
  /** What Retry-After says; undefined: nothing. */
  waitMs: number | undefined,
): DeliveryResult {
  if (status >= 200 && status < 300) return { kind: 'delivered', detail: `answered ${status}` };
  const error = (code: string, how: { readonly retryable: boolean; readonly hint?: string }) => {
    const phrase = STATUS_CODES[status];
    return new CcxError(`the receiver answers ${status}${phrase === undefined ? '' : ` ${phrase}`}`, {
      code,
      category: 'delivery',
      ...how,
    });
  };
  if (status === 410) {
    const hint = 'it is not there any more; ccx receivers resume starts it again when it is';
    return { kind: 'gone', error: error('RECEIVER_GONE', { retryable: true, hint }), afterMs: goneAfterMs };
  }
  if (status === 429)
    return {
      kind: 'paused',
      error: error('RECEIVER_LIMITED', { retryable: true }),
      afterMs: waitMs ?? limitedAfterMs,
    };
  if (status === 503 || status === 425) {
    const unavailable = error('RECEIVER_UNAVAILABLE', { retryable: true });
    // It says when to come back, and that holds for every message.
    if (waitMs !== undefined) return { kind: 'paused', error: unavailable, afterMs: waitMs };
    return { kind: 'retry', error: unavailable, afterMs: notAcceptedAfterMs };
  }
  if (aboutTheMessage.has(status)) return { kind: 'rejected', error: error('RECEIVER_REJECTED', { retryable: false }) };
  // It gave up waiting for what it may have, or has what conflicts, perhaps this.
  if (status === 408 || status === 409 || status >= 500)
    return {
      kind: 'unknown',
      error: error('RECEIVER_AMBIGUOUS', { retryable: true }),
      afterMs: waitMs ?? unknownAfterMs,
    };
  const hint =
    status >= 300 && status < 400
      ? 'redirects are not followed: change its url to where it leads'
      : 'check its url, its authorization and its signing_key';
  return {
    kind: 'paused',
    error: error('RECEIVER_REFUSED', { retryable: true, hint }),
    afterMs: pausedMisconfiguredMs,
  };
}
