/**
 * What an error of the bus means for the message that was being sent. The last arm is "unknown": the same id follows, which the backend
 * recognises. Source: `src/platform/bus/bus-errors.ts` and the adapters', consumers.md 5.2 F11 to F14.
 */
import { CcxError, errorText } from '../../../../encoding/ccx-error.ts';
import type { DeliveryResult } from '../../ports.ts';
import {
  pausedMisconfiguredMs,
  pausedTopicMissingMs,
  retryAfterMs,
  unknownAfterMs,
  unreachableAfterMs,
} from '../limits.ts';
import { transportFailure } from '../transport-failure.ts';

/** The message itself is at fault, whatever the state of the bus. */
const rejectedCodes = new Set(['BUS_RECORD_TOO_LARGE', 'BUS_RECORD_REFUSED', 'BUS_INVALID', 'NOTIFICATION_INVALID']);

export function resultOfBusError(thrown: unknown): DeliveryResult {
  const error = asCcxError(thrown);
  if (rejectedCodes.has(error.code)) return { kind: 'rejected', error };
  // Topic missing or forbidden, login or certificate refused: the same for every message, whatever cluster it is about.
  if (error.category === 'configuration') {
    const afterMs = error.code === 'BUS_TOPIC_UNKNOWN' ? pausedTopicMissingMs : pausedMisconfiguredMs;
    return { kind: 'paused', error, afterMs };
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
