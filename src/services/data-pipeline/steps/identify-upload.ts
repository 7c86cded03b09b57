/**
 * Hop 3, second half: whose upload it is and what its report will say of it. Whatever would make the report unpublishable is found
 * here, before anything is fetched. Source: data-pipeline.md 2.3, 5.2.
 */
import { isUuid } from '../../../contracts/identifiers.ts';
import { HEADER_SERVICE } from '../../../contracts/topics.ts';
import { type ParsedAnnouncement, parseUploadAnnouncement } from '../../../contracts/upload-announcement.ts';
import { inputError } from '../../../encoding/ccx-error.ts';
import { parseRfc3339 } from '../../../encoding/rfc3339.ts';
import { type BusRecord, headerText } from '../../../platform/bus/bus.ts';
import { deadLetter, done, drop, type StepAnswer } from '../../../platform/bus/intake/step.ts';
import { gatheringTime } from '../decide/gathering-time.ts';
import { accountNumber, judgeRecord, orgIdNumber, type RecordPolicy } from '../decide/judge-record.ts';
import type { Upload } from '../upload.ts';

export function identifyUpload(announcement: ParsedAnnouncement, now: Date): StepAnswer<Upload> {
  const { identity } = announcement.identity;
  const orgId = orgIdNumber(identity.internal.org_id);
  if (orgId === undefined) return deadLetter(inputError('ANNOUNCEMENT_ORG_ID', 'Error extracting the OrgID'));
  if (parseRfc3339(announcement.timestamp) === undefined) {
    return deadLetter(inputError('ANNOUNCEMENT_TIMESTAMP', 'the timestamp of the incoming message is not RFC 3339'));
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

/**
 * Hop 3, first half: whether a record concerns us, and what it announces.
 * Source: data-pipeline.md 2.2 (rows 1 to 6), 2.3.
 */
export function checkAnnouncement(record: BusRecord, policy: RecordPolicy, now: Date): StepAnswer<ParsedAnnouncement> {
  const facts = {
    headers: record.headers.length,
    service: headerText(record, HEADER_SERVICE),
    timestampMs: record.timestampMs,
  };
  const verdict = judgeRecord(facts, policy, now);
  if (verdict !== 'accepted') return drop(verdict);
  const parse = parseUploadAnnouncement(record.value);
  return parse.kind === 'received' ? done(parse.announcement) : deadLetter(parse.error);
}
