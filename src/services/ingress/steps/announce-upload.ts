/**
 * Hop 2, second half: the announcement is on the bus, or lies in the outbox. Only then does the client hear of success.
 * Source: ingress.md A.7.
 */
import { CcxError } from '../../../encoding/ccx-error.ts';
import { formatRfc3339 } from '../../../encoding/rfc3339.ts';
import type { Principal } from '../../../platform/auth/authenticator.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import type { Announcer } from '../announcer.ts';
import type { ArchiveLinks } from '../ports.ts';
import type { IngressEvents } from '../telemetry.ts';
import type { IncomingUpload, ReceivedForm } from '../upload.ts';
import { EarlyReply, empty, unavailable } from '../web/reply.ts';

export interface AnnounceDependencies {
  readonly announcer: Announcer;
  readonly links: ArchiveLinks;
  readonly clock: Clock;
  readonly events: IngressEvents;
}

export async function announceUpload(
  upload: IncomingUpload,
  owned: { readonly principal: Principal; readonly form: ReceivedForm },
  { announcer, links, clock, events }: AnnounceDependencies,
): Promise<'sent' | 'kept'> {
  const { principal, form } = owned;
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
        url: await links.create(upload.requestId),
        b64_identity: principal.identityHeader,
        timestamp: formatRfc3339(clock.nowMicros()),
      },
    });
  } catch (error) {
    events.announcingFailed(upload, principal, error);
    if (error instanceof CcxError && error.retryable) {
      throw new EarlyReply(unavailable('the upload cannot be announced, try again later', error.code));
    }
    throw new EarlyReply(empty(500, error instanceof CcxError ? error.code : 'UNKNOWN'));
  }
}
