/**
 * Whether a request that got no answer may have reached the other side. Only what fails before a byte of it is sent is certain not to;
 * for all else the answer is "unknown". Used by all targets.
 */
import { CcxError, errorText } from '../../../encoding/ccx-error.ts';
import { certificateCodes, codesAlongCauses } from '../../../platform/http/certificate-refusal.ts';
import type { DeliveryResult } from '../ports.ts';

/** After "certainly not accepted": the caller adds its own back-off. */
export const retryAfterMs = 5_000;
/** Where no connection came about; nothing was sent, and trying costs next to nothing. The caller adds its own back-off. */
export const unreachableAfterMs = 1_000;
/** After an answer that was lost; time for the other side to finish what it may be doing. */
export const unknownAfterMs = 10_000;
/** A target, or a recipient, whose settings, credentials or permissions are wrong is tried again after this; somebody must act first. */
export const pausedMisconfiguredMs = 300_000;
/** Where a secret cannot be read for now. */
export const pausedUnavailableMs = 60_000;

/** No connection came about, or nothing was written. Those of the database are from the embedded bus. */
const neverSentCodes = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'DATABASE_UNREACHABLE',
  'DATABASE_BUSY',
  'DATABASE_READ_ONLY',
]);

/** `unreachable` may be tried again; `paused` needs somebody to act first; `unknown` needs a look-up or the same id. */
export function resultOfTransportFailure(error: CcxError): DeliveryResult {
  const codes = codesAlongCauses(error);
  // The address is none, or the other side's certificate is not trusted: the handshake ends before the request.
  if (codes.some((code) => code === 'ERR_INVALID_URL' || certificateCodes.has(code)))
    return { kind: 'paused', error, afterMs: pausedMisconfiguredMs };
  if (codes.some((code) => neverSentCodes.has(code)))
    return { kind: 'unreachable', error, afterMs: unreachableAfterMs };
  return { kind: 'unknown', error, afterMs: unknownAfterMs };
}

export function deliveryFailure(message: string, code: string, cause?: unknown): CcxError {
  return new CcxError(message, { code, category: 'delivery', retryable: true, cause });
}

/** `what` failed with something that need not be ours, which then gets the code. */
export function asDeliveryFailure(thrown: unknown, what: string, code: string): CcxError {
  if (thrown instanceof CcxError) return thrown;
  return deliveryFailure(`${what} failed in a way that we do not know: ${errorText(thrown)}`, code, thrown);
}
