/**
 * The report text that `new_reports` keeps: the members that notifications need, keys sorted bytewise, values verbatim. The bulky
 * members are skipped where they lie and never copied. Called by the notification writer (hop 7). Source: notification-writer.md 3.4, 4.6.
 */
import { writeCanonical } from '../encoding/json-scanner.ts';
import { encodeJsonString } from '../encoding/json-text.ts';
import type { ReportMember, ReportSlices } from './parse-ocp-results.ts';

/** Top-level members of `Report` that are not stored. */
export const DROPPED_REPORT_KEYS: ReadonlySet<string> = new Set([
  'system',
  'fingerprints',
  'skips',
  'info',
  'pass',
  'analysis_metadata',
]);

interface ShrunkReport {
  /** JSON text in UTF-8, or not quite: bytes that the sender got wrong are still wrong. */
  readonly text: Buffer;
  /** Length of the whole report in the same canonical text. */
  readonly originalBytes: number;
}

interface KeptMember extends ReportMember {
  readonly key: string;
  /** The key as JSON text, with its colon. */
  readonly prefix: string;
}

export function shrinkReportText(report: ReportSlices): ShrunkReport {
  const kept: KeptMember[] = [];
  let originalBytes = braces(report.members.size);
  let bytes = 0;
  for (const [key, member] of report.members) {
    const prefix = `${encodeJsonString(key)}:`;
    const memberBytes = Buffer.byteLength(prefix) + member.canonicalBytes;
    originalBytes += memberBytes;
    if (DROPPED_REPORT_KEYS.has(key)) continue;
    bytes += memberBytes;
    kept.push({ ...member, key, prefix });
  }
  kept.sort((left, right) => compareBytewise(left.key, right.key));

  const text = Buffer.allocUnsafe(bytes + braces(kept.length));
  let at = 0;
  text[at++] = 0x7b;
  for (const member of kept) {
    if (at > 1) text[at++] = 0x2c;
    at += text.write(member.prefix, at, 'utf8');
    // What the data pipeline sends is canonical as it is: one copy.
    if (member.isCanonical) at += report.text.copy(text, at, member.start, member.end);
    else at = writeCanonical(report.text, member, text, at);
  }
  text[at] = 0x7d;
  return { text, originalBytes };
}

/** Bytes of the braces and commas around `count` members. */
function braces(count: number): number {
  return 2 + Math.max(0, count - 1);
}

/** By the bytes of UTF-8, where JavaScript would compare UTF-16 and put emoji before the last characters of the basic plane. */
function compareBytewise(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
