/** Hop 2, first half: the archive becomes durable under its request id, or the client is told to come again. Source: ingress.md A.6. */
import { errorCode } from '../../../encoding/ccx-error.ts';
import type { Principal } from '../../../platform/auth/authenticator.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import type { IngressEvents, StagedArchive } from '../telemetry.ts';
import type { IncomingUpload, ReceivedForm } from '../upload.ts';
import { EarlyReply, empty, unavailable } from '../web/reply.ts';

/** Failures of a store that end when somebody makes room; any other is a 500, as in the reference. */
const comingBack = new Set([
  'OBJECTS_DISK_FULL',
  'OBJECTS_INODES_FULL',
  'OBJECTS_READ_ONLY',
  'OBJECTS_DESCRIPTORS',
  'STAGE_TIMEOUT',
]);

interface StoreDependencies {
  readonly clock: Clock;
  readonly events: IngressEvents;
}

export async function storeArchive(
  upload: IncomingUpload,
  owned: { readonly principal: Principal; readonly form: ReceivedForm },
  { clock, events }: StoreDependencies,
): Promise<StagedArchive> {
  const { principal, form } = owned;
  const startedMs = clock.monotonicMs();
  try {
    const object = await form.staging.finish();
    return { form, object, stageMs: clock.monotonicMs() - startedMs };
  } catch (error) {
    events.stagingFailed(upload, principal, { stageMs: clock.monotonicMs() - startedMs, error });
    const code = errorCode(error);
    if (comingBack.has(code)) {
      throw new EarlyReply(unavailable('the archive cannot be stored now, try again later', code));
    }
    throw new EarlyReply(empty(500, 'STAGE_FAILED'));
  }
}
