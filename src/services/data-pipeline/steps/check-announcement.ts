/**
 * Hop 3, first half: whether a record concerns us, and what it announces. What it then says of the tenant is `identify-upload.ts`.
 * Source: data-pipeline.md 2.2 (rows 1 to 6), 2.3.
 */

import { deadLetter, done, drop, type Outcome } from '../../../contracts/outcome.ts';
import { HEADER_SERVICE } from '../../../contracts/topics.ts';
import { type ParsedAnnouncement, parseUploadAnnouncement } from '../../../contracts/upload-announcement.ts';
import { type BusRecord, headerText } from '../../../platform/bus/bus.ts';
import { judgeRecord, type RecordPolicy } from '../decide/judge-record.ts';

export function checkAnnouncement(record: BusRecord, policy: RecordPolicy, now: Date): Outcome<ParsedAnnouncement> {
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
