/** Reads and validates a message by the reference's rules. */

import { deadLetter, done, type Outcome } from '../../../contracts/outcome.ts';
import { parseOcpResults, type ReceivedReport, type RefusedReport } from '../../../contracts/parse-ocp-results.ts';
import type { BusRecord } from '../../../platform/bus/bus.ts';
import type { ReportSubject } from '../report.ts';

export interface ParseResult {
  /** Known even of most messages that are refused. */
  readonly subject: ReportSubject;
  readonly outcome: Outcome<ReceivedReport>;
}

export function parseReport(record: BusRecord): ParseResult {
  const parsed = parseOcpResults(record.value);
  if (parsed.kind === 'refused')
    return { subject: subjectOf(parsed.refused), outcome: deadLetter(parsed.refused.error) };
  return { subject: subjectOf(parsed.report), outcome: done(parsed.report) };
}

function subjectOf({ requestId, orgId, clusterName }: ReceivedReport | RefusedReport): ReportSubject {
  return { requestId, orgId, cluster: clusterName };
}
