/** What a send to the bus means for the announcement behind it. Used by the steps that end in a send. */

import { deadLetter, done, type Outcome, retry } from '../../contracts/outcome.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { backoffMs } from './backoff.ts';

/**
 * Only a record that no bus would take is the announcement's fault. Everything else, a missing topic included, is tried again without
 * end: the dead-letter topic lies on the same bus, and an announcement that is not acknowledged is not lost.
 */
export async function sendOutcome(
  send: () => Promise<unknown>,
  attempt: number,
  random: () => number,
): Promise<Outcome<undefined>> {
  try {
    await send();
    return done(undefined);
  } catch (error) {
    const isRecordsFault = error instanceof CcxError && (error.category === 'limit' || error.category === 'input');
    if (isRecordsFault) return deadLetter(error);
    return retry(error instanceof CcxError ? error : unexpected(error), backoffMs(attempt, random()));
  }
}

function unexpected(cause: unknown): CcxError {
  return new CcxError('the bus failed', { code: 'BUS_FAILED', category: 'connection', retryable: true, cause });
}
