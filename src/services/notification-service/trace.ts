/** The lines of hops 9 to 12 in a request's trace. Written in the transactions of the effects that they tell of. Source: architecture.md 2. */

import { STATUS_SERVICE_NOTIFIER } from '../../contracts/payload-status.ts';
import type { TraceEvent } from '../../contracts/trace-event.ts';
import { errorText } from '../../encoding/ccx-error.ts';
import type { RecordedMessage, RenderedCluster, RunTarget } from './run.ts';
import type { TimeSource } from './time-source.ts';
import { isoText } from './timestamps.ts';

/** For reports that are new or told about; what is only looked at again adds nothing to its request. */
export function traceOfDecisions(clusters: readonly RenderedCluster[], time: TimeSource): TraceEvent[] {
  const traced = clusters.filter(
    ({ report, isNewReport, messages }) => report.requestId !== undefined && (isNewReport || messages.length > 0),
  );
  return [...Map.groupBy(traced, ({ report }) => report)].flatMap(([report, decided]): TraceEvent[] => {
    const common = {
      requestId: report.requestId!,
      service: STATUS_SERVICE_NOTIFIER,
      orgId: String(report.orgId),
      account: String(report.accountNumber),
      cluster: report.cluster,
    };
    const detail = decided.map((cluster) => `${cluster.runTarget.target.name}: ${summaryOf(cluster)}`).join('; ');
    return [
      { ...common, status: 'report-loaded', hop: 9, at: isoText(time.nowMicros()) },
      { ...common, status: 'issue-decided', hop: 10, detail, at: isoText(time.nowMicros()) },
    ];
  });
}

/** `new 1, already-notified 2` */
function summaryOf(cluster: RenderedCluster): string {
  if (cluster.unreadable !== undefined) return `unreadable, ${errorText(cluster.unreadable)}`;
  const reasons = Map.groupBy(cluster.decisions, ({ reason }) => reason);
  return reasons.size === 0 ? 'no issues' : [...reasons].map(([reason, all]) => `${reason} ${all.length}`).join(', ');
}

/** As the outcome was settled: hop 11 when it was delivered, hop 12 when it is final. */
export function traceOfOutcomes({ target }: RunTarget, messages: readonly RecordedMessage[]): TraceEvent[] {
  return messages.flatMap(({ message, settlement }) => {
    if (message.requestId === undefined) return [];
    const { id, cluster } = message.notification;
    const common = {
      requestId: message.requestId,
      service: STATUS_SERVICE_NOTIFIER,
      orgId: String(message.orgId),
      account: String(message.accountNumber),
      cluster,
    };
    return settlement.trace.map(({ status, hop, detail, atMicros }) => ({
      ...common,
      status,
      ...(hop === undefined ? {} : { hop }),
      detail: `${target.name} ${id}${detail === '' ? '' : `: ${detail}`}`,
      at: isoText(atMicros),
    }));
  });
}
