/** Hop 2, first half: the archive becomes durable under its request id, or the client is told to come again. Source: ingress.md A.6. */
import { errorCode } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import type { IngressEvents, StagedArchive } from '../events.ts';
import { retryAfterSeconds } from '../limits.ts';
import { type IncomingUpload, next, type Principal, type ReceivedForm, reply, type StepResult } from '../upload.ts';
import { empty, unavailable } from '../web/reply.ts';

/** Failures of a store that end when somebody makes room; any other is a 500, as in the reference. */
const comingBack = new Set([
  'OBJECTS_DISK_FULL',
  'OBJECTS_INODES_FULL',
  'OBJECTS_READ_ONLY',
  'OBJECTS_DESCRIPTORS',
  'STAGE_TIMEOUT',
]);

export interface StoreTools {
  readonly clock: Clock;
  readonly events: IngressEvents;
}

export async function storeArchive(
  upload: IncomingUpload,
  owned: { readonly principal: Principal; readonly form: ReceivedForm },
  { clock, events }: StoreTools,
): Promise<StepResult<StagedArchive>> {
  const { principal, form } = owned;
  const startedMs = clock.monotonicMs();
  try {
    const object = await form.staging.finish();
    return next({ form, object, stageMs: clock.monotonicMs() - startedMs });
  } catch (error) {
    events.stagingFailed(upload, principal, { stageMs: clock.monotonicMs() - startedMs, error });
    const code = errorCode(error);
    if (comingBack.has(code)) {
      return reply(unavailable(retryAfterSeconds, 'the archive cannot be stored now, try again later', code));
    }
    return reply(empty(500, 'STAGE_FAILED'));
  }
}
