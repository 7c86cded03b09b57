/** Whether a report's `LastChecked` is a time, and not one of the future. Source: notification-writer.md 4.3, 3.4. */

import { CcxError } from '../../../encoding/ccx-error.ts';
import { parseRfc3339 } from '../../../encoding/rfc3339.ts';
import { deadLetter, done, type StepAnswer } from '../../../platform/bus/intake/step.ts';
import type { CheckedReport, ParsedReport } from '../report.ts';

const microsPerMs = 1000n;

/** `nowMicros` becomes the row's time. Codes: `REPORT_LAST_CHECKED`, `REPORT_FROM_THE_FUTURE`. */
export function checkReport(
  report: ParsedReport,
  futureToleranceMs: number,
  nowMicros: bigint,
): StepAnswer<CheckedReport> {
  const { lastChecked: text } = report.received;
  const lastChecked = parseRfc3339(text);
  if (lastChecked === undefined) {
    const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
    return refuse('REPORT_LAST_CHECKED', `LastChecked is not RFC 3339: ${JSON.stringify(shown)}`);
  }
  if (lastChecked.micros > nowMicros + BigInt(futureToleranceMs) * microsPerMs) {
    return refuse('REPORT_FROM_THE_FUTURE', `got a message from the future: ${lastChecked.canonical}`);
  }
  return done({ ...report, lastChecked, processedAt: nowMicros });
}

function refuse(code: string, message: string): StepAnswer<never> {
  return deadLetter(
    new CcxError(message, {
      code,
      category: 'input',
      ...(code === 'REPORT_FROM_THE_FUTURE'
        ? { hint: 'check the clocks of sender and writer, or raise check.future_tolerance' }
        : {}),
    }),
  );
}
