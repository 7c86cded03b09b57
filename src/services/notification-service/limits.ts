/**
 * Limits of the notification service, and what it means that a text could not be rendered. What an operator may want to change is in
 * `config.ts`; these hold whatever the configuration says.
 */
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';

/** Text of an error in `read_errors` (its column) and in the outbox. */
export const errorTextCharsMax = 1_000;
/** A report whose text could not be rendered is tried again by a follow cycle after this. */
export const renderRetryMs = 60_000;

/** The backend forgets ids after a day counted from the message's timestamp; past this an unknown outcome is listed, not sent again. */
export const unknownResendMsMax = 20 * 3_600_000;

/** How much of its lease an attempt leaves unused, so that its outcome can be recorded under the lease. */
export const leaseMarginMs = 20_000;

/** Until when what is claimed now may be sent, on `clock.monotonicMs()`. */
export function leaseEnd(run: {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly settings: { readonly delivery: { readonly leaseMs: number } };
}): number {
  return run.clock.monotonicMs() + run.settings.delivery.leaseMs - leaseMarginMs;
}

/** What a target threw while it composed; anything but its own errors is a bug, and may be gone with the next release. */
export function renderErrorOf(cause: unknown): CcxError {
  if (cause instanceof CcxError) return cause;
  return new CcxError('rendering failed', { code: 'RENDER_FAILED', category: 'internal', retryable: true, cause });
}
