/** Leaves out of a report what notifications do not need. Before the checks, as in the reference, whose counters tell the order. */
import type { ReceivedReport } from '../../../contracts/parse-ocp-results.ts';
import { shrinkReportText } from '../../../contracts/shrunk-report.ts';
import type { ParsedReport } from '../report.ts';

export function shrinkReport(received: ReceivedReport): ParsedReport {
  return { received, ...shrinkReportText(received.report) };
}
