/** Puts messages that cannot be read into the tracker's dead-letter topic, as they came, with the reason in headers. */
import type { Outcome } from '../../../contracts/outcome.ts';
import type { StepAttempt } from '../../../platform/bus/batch-intake.ts';
import { type PutAsideTarget, putAside, type RefusedRecord } from '../../../platform/bus/put-aside.ts';

export function putAsideRecords(
  refused: readonly RefusedRecord[],
  target: PutAsideTarget,
  attempt: StepAttempt,
): Promise<Outcome<void>> {
  return putAside(refused, target, attempt.retryMs);
}
