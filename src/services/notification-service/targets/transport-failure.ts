/**
 * Whether a request that got no answer may have reached the other side. Only what fails before a byte of it is sent is certain not to;
 * for all else the answer is "unknown". Used by both targets.
 */
import { CcxError, errorText } from '../../../encoding/ccx-error.ts';
import type { DeliveryResult } from '../ports.ts';

/** After "certainly not accepted": the caller adds its own back-off. */
export const retryAfterMs = 5_000;
/** Where no connection came about; nothing was sent, and trying costs next to nothing. The caller adds its own back-off. */
const unreachableAfterMs = 1_000;
/** After an answer that was lost; time for the other side to finish what it may be doing. */
export const unknownAfterMs = 10_000;
/** A target, or a recipient, whose settings, credentials or permissions are wrong is tried again after this; somebody must act first. */
export const pausedMisconfiguredMs = 300_000;

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

/** The address is none, or the other side's certificate is not trusted: the handshake ends before the request. */
const misconfiguredCodes = new Set([
  'ERR_INVALID_URL',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/** Deeper chains than this are no chains of causes. */
const causesMax = 10;

/** `unreachable` may be tried again; `paused` needs somebody to act first; `unknown` needs a look-up or the same id. */
export function resultOfTransportFailure(error: CcxError): DeliveryResult {
  const codes = codesOf(error, 0);
  if (codes.some((code) => misconfiguredCodes.has(code)))
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

/** Codes along the causes; of several addresses that were tried in vain, those of all. */
function codesOf(error: unknown, depth: number): string[] {
  if (!(error instanceof Error) || depth > causesMax) return [];
  const own = 'code' in error && typeof error.code === 'string' ? [error.code] : [];
  const tried = 'errors' in error && Array.isArray(error.errors) ? error.errors : [];
  return [...own, ...[...tried, error.cause].flatMap((inner) => codesOf(inner, depth + 1))];
}
