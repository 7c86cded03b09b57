/**
 * Hop 2: the archive becomes durable under its request id, then its announcement is on the bus, or lies in the outbox. Only then does the
 * client hear of success; where either fails, it is told whether to come again. Source: ingress.md A.6, A.7.
 */
import { CcxError, errorCode } from '../../../encoding/ccx-error.ts';
import { formatRfc3339 } from '../../../encoding/rfc3339.ts';
import type { Principal } from '../../../platform/auth/authenticator.ts';
import { EarlyReply, empty, unavailable } from '../reply.ts';
import type { IncomingUpload, ReceivedForm } from '../upload.ts';
import type { UploadDependencies } from '../upload-dependencies.ts';

/** Failures of a store that end when somebody makes room or mends it; any other is a 500, as in the reference. */
const comingBack = new Set([
  ...['OBJECTS_DISK_FULL', 'OBJECTS_INODES_FULL', 'OBJECTS_READ_ONLY', 'OBJECTS_DESCRIPTORS', 'STAGE_TIMEOUT'],
  ...['OBJECTS_AWAY', 'OBJECTS_BUSY', 'OBJECTS_CLOCK', 'OBJECTS_FULL'],
  ...['OBJECTS_BUCKET_MISSING', 'OBJECTS_DENIED', 'OBJECTS_LOGIN', 'OBJECTS_REGION', 'OBJECTS_TLS'],
]);

interface OwnedUpload {
  readonly principal: Principal;
  readonly form: ReceivedForm;
}

/** Resolves to how many milliseconds it took from the end of the form. */
export async function storeArchive(
  upload: IncomingUpload,
  { principal, form }: OwnedUpload,
  { clock, events }: UploadDependencies,
): Promise<number> {
  const startedMs = clock.monotonicMs();
  try {
    await form.staging.finish();
    return clock.monotonicMs() - startedMs;
  } catch (error) {
    events.stagingFailed(upload, principal, { stageMs: clock.monotonicMs() - startedMs, error });
    const code = errorCode(error);
    if (comingBack.has(code)) {
      throw new EarlyReply(unavailable('the archive cannot be stored now, try again later', code));
    }
    throw new EarlyReply(empty(500, 'STAGE_FAILED'));
  }
}

export async function announceUpload(
  upload: IncomingUpload,
  { principal, form }: OwnedUpload,
  { announcer, clock, events }: UploadDependencies,
): Promise<'sent' | 'kept'> {
  try {
    return await announcer.announce({
      requestId: upload.requestId,
      service: form.type.service,
      queueKey: form.metadata.queue_key ?? null,
      announcement: {
        account: principal.accountNumber,
        category: form.type.category,
        content_type: form.contentType,
        metadata: form.metadata,
        request_id: upload.requestId,
        principal: principal.orgId,
        org_id: principal.orgId,
        service: form.type.service,
        size: form.sizeBytes,
        b64_identity: principal.identityHeader,
        timestamp: formatRfc3339(clock.nowMicros()),
      },
    });
  } catch (error) {
    events.announcingFailed(upload, principal, error);
    if (error instanceof CcxError && error.retryable) {
      throw new EarlyReply(unavailable('the upload cannot be announced, try again later', error.code));
    }
    throw new EarlyReply(empty(500, errorCode(error)));
  }
}
