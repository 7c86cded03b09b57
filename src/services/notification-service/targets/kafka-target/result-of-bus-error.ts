/**
 * What an error of the bus means for the message that was being sent. The last arm is "unknown": the same id follows, which the backend
 * recognises. Source: `src/platform/bus/bus-errors.ts` and the adapters', consumers.md 5.2 F11 to F14.
 */
import { CcxError, errorText } from '../../../../contracts/ccx-error.ts';
import type { DeliveryResult } from '../../ports.ts';
import { pausedMisconfiguredMs, retryAfterMs, unknownAfterMs, unreachableAfterMs } from '../limits.ts';
import { transportFailure } from '../transport-failure.ts';

/** The message itself is at fault, whatever the state of the bus. */
const rejectedCodes = new Set(['BUS_RECORD_TOO_LARGE', 'BUS_RECORD_REFUSED', 'BUS_INVALID', 'NOTIFICATION_INVALID']);

/** No message gets as far as the topic. */
const connectionCodes = new Set(['BUS_AUTH', 'BUS_TLS']);

export function resultOfBusError(thrown: unknown): DeliveryResult {
  const error = asCcxError(thrown);
  if (rejectedCodes.has(error.code)) return { kind: 'rejected', error };
  // A login or a certificate is the same for every message; what is said of a topic may be said of one of its partitions only.
  if (error.category === 'configuration') {
    const kind = connectionCodes.has(error.code) ? 'paused' : 'refused';
    return { kind, error, afterMs: pausedMisconfiguredMs };
  }
  // Closed under us: nothing was handed to it.
  if (error.code === 'BUS_CLOSED') return { kind: 'retry', error, afterMs: retryAfterMs };
  switch (transportFailure(error)) {
    case 'misconfigured':
      return { kind: 'paused', error, afterMs: pausedMisconfiguredMs };
    case 'never-sent':
      return { kind: 'unreachable', error, afterMs: unreachableAfterMs };
    case 'unknown':
      return { kind: 'unknown', error, afterMs: unknownAfterMs };
  }
}

function asCcxError(thrown: unknown): CcxError {
  if (thrown instanceof CcxError) return thrown;
  return new CcxError(`the bus failed in a way that we do not know: ${errorText(thrown)}`, {
    code: 'BUS_FAILED',
    category: 'delivery',
    retryable: true,
    cause: thrown,
  });
}
