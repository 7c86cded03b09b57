/**
 * Whether there is room for one more upload: told before its body is read. The operator takes 503 for a reason to try again later.
 * Source: ingress.md A.13.
 */
import { retryAfterSeconds } from '../limits.ts';
import { next, reply, type StepResult } from '../upload.ts';
import type { UploadSlots } from '../upload-slots.ts';
import { unavailable } from '../web/reply.ts';

/** The function in the answer gives the room back. */
export function admitUpload(slots: UploadSlots, isOutboxFull: () => boolean): StepResult<() => void> {
  // Where the announcement could neither be sent nor kept, storing the archive would be of no use.
  if (isOutboxFull()) {
    return reply(unavailable(retryAfterSeconds, 'the message bus is away, try again later', 'OUTBOX_FULL'));
  }
  const release = slots.take();
  if (release === undefined) {
    return reply(unavailable(retryAfterSeconds, 'too many uploads at once, try again later', 'TOO_MANY_UPLOADS'));
  }
  return next(release);
}
