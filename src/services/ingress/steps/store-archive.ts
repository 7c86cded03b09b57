/** Hop 2, first half: the archive becomes durable under its request id, or the client is told to come again. Source: ingress.md A.6. */
import type { Clock } from '../../../platform/clock/clock.ts';
import type { IngressEvents, StagedArchive } from '../events.ts';
import { type IncomingUpload, next, type Principal, type ReceivedForm, reply, type StepResult } from '../upload.ts';
import { empty } from '../web/reply.ts';

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
    return reply(empty(500, 'STAGE_FAILED'));
  }
}
