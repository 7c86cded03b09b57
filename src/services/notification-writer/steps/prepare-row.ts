/**
 * Whether the table can hold a report that passed all checks: the message format allows numbers, cluster names and bytes that the
 * columns do not. Found here, with a reason, and not by the database in the middle of a batch. Source: notification-writer.md 4.1, 4.2, 4.6.
 */
import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import { storedRequestId } from '../../../contracts/identifiers.ts';
import { inQuotes, type ReportSlices } from '../../../contracts/parse-ocp-results.ts';
import { DROPPED_REPORT_KEYS } from '../../../contracts/shrunk-report.ts';
import { inputError } from '../../../encoding/ccx-error.ts';
import type { BusRecord } from '../../../platform/bus/bus.ts';
import { deadLetter, done, type ImmediateAnswer } from '../../../platform/bus/intake/step.ts';
import type { CheckedReport, ReportFacts, ReportRow } from '../report.ts';

/** Largest number that the integer columns hold; the message format allows twice that. */
const tableIntegerMax = 2_147_483_647;
/** Bytes that the column `cluster` holds. */
const clusterBytesMax = 36;
/** Of the column `request_key`. */
const requestKeyBytes = 16;

/** Codes: `REPORT_NUMBER_TOO_LARGE`, `REPORT_CLUSTER_TOO_LONG`, `REPORT_NOT_UTF8`. */
export function prepareRow(record: BusRecord, report: CheckedReport, facts: ReportFacts): ImmediateAnswer<ReportRow> {
  const { orgId, accountNumber, clusterName, requestId } = report.received;
  for (const [name, value] of [['OrgID', orgId] as const, ['AccountNumber', accountNumber] as const]) {
    if (value > tableIntegerMax) {
      return refuse(
        'REPORT_NUMBER_TOO_LARGE',
        `${name} ${value} is larger than ${tableIntegerMax}, the most that new_reports holds`,
      );
    }
  }
  if (Buffer.byteLength(clusterName) > clusterBytesMax) {
    return refuse(
      'REPORT_CLUSTER_TOO_LONG',
      `cluster name ${JSON.stringify(clusterName)} is longer than ${clusterBytesMax} characters`,
    );
  }
  if (!isUtf8(report.text)) {
    const where = firstNotUtf8(report.received.report);
    return refuse('REPORT_NOT_UTF8', 'the report holds bytes that are not UTF-8', where);
  }
  const request = requestId === '' ? '' : storedRequestId(requestId);
  return done({
    record,
    requestId: request,
    requestKey: request === '' ? null : requestKey(request, clusterName, report.lastChecked.canonical),
    orgId,
    accountNumber,
    cluster: clusterName,
    lastChecked: report.lastChecked.canonical,
    lastCheckedMicros: report.lastChecked.micros,
    processedAt: report.processedAt,
    text: report.text,
    facts,
  });
}

/** The first half of SHA-256, which is enough for a lot more reports than there will be. */
function requestKey(...parts: readonly string[]): Buffer {
  return hash('sha256', JSON.stringify(parts), 'buffer').subarray(0, requestKeyBytes);
}

/** Of the members that are kept: what is wrong with the others keeps nobody from storing the report. */
function firstNotUtf8({ text, members }: ReportSlices): string | undefined {
  for (const [key, { start, end }] of members) {
    const value = text.subarray(start, end);
    if (DROPPED_REPORT_KEYS.has(key) || isUtf8(value)) continue;
    const mended = Buffer.from(value.toString('utf8'));
    const at = value.findIndex((byte, index) => byte !== mended[index]);
    return `0x${value[at]!.toString(16)} in ${inQuotes(key)} at byte ${start + at} of the message`;
  }
  return undefined;
}

function refuse(code: string, message: string, cause?: string) {
  return deadLetter(inputError(code, message, cause));
}
