/**
 * Hop 3, second half: whose upload it is and what its report will say of it. Whatever would make the report unpublishable is found
 * here, before anything is fetched. Source: data-pipeline.md 2.3, 5.2.
 */

import { isUuid } from '../../../contracts/identifiers.ts';
import { deadLetter, done, type Outcome } from '../../../contracts/outcome.ts';
import type { ParsedAnnouncement } from '../../../contracts/upload-announcement.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { parseRfc3339 } from '../../../encoding/rfc3339.ts';
import { gatheringTime } from '../decide/gathering-time.ts';
import { accountNumber, orgIdNumber } from '../decide/tenant-numbers.ts';
import type { Upload } from '../upload.ts';

export function identifyUpload(announcement: ParsedAnnouncement, now: Date): Outcome<Upload> {
  const { identity } = announcement.identity;
  const orgId = orgIdNumber(identity.internal.org_id);
  if (orgId === undefined) return deadLetter(invalid('ANNOUNCEMENT_ORG_ID', 'Error extracting the OrgID'));
  if (parseRfc3339(announcement.timestamp) === undefined) {
    return deadLetter(invalid('ANNOUNCEMENT_TIMESTAMP', 'the timestamp of the incoming message is not RFC 3339'));
  }
  const candidates = [announcement.cluster_name, identity.system?.cluster_id];
  return done({
    url: announcement.url,
    announcedBytes: announcement.size,
    requestId: announcement.request_id ?? null,
    orgId,
    accountNumber: accountNumber(identity.account_number),
    clusterId: candidates.find((id): id is string => typeof id === 'string' && isUuid(id)),
    lastChecked: announcement.timestamp,
    gatheredAt: gatheringTime(announcement.metadata?.custom_metadata?.['gathering_time'], now),
  });
}

function invalid(code: string, message: string): CcxError {
  return new CcxError(message, { code, category: 'input' });
}
