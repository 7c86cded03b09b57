/**
 * Topic `ccx.ocp.results`, one JSON object and a newline per analysed archive, keyed by the cluster id by us; headers
 * `ccx-catalogue-version` and `ccx-catalogue-rules` (`headers.ts`) beside it, which other readers ignore.
 * Produced by: data pipeline (hop 6) → consumed by: notification writer (hop 7), results aggregator.
 * Source: data-pipeline.md 5.2, 5.3; notification-writer.md 4.
 */
import type { Report } from './report.ts';

/** As we produce it; members in emission order. */
export interface OcpResultsMessage {
  readonly OrgID: number;
  readonly ClusterName: string;
  readonly Report: Report;
  /** The announcement's timestamp, unchanged. */
  readonly LastChecked: string;
  readonly Version: 2;
  readonly RequestId: string | null;
  readonly Metadata: { readonly gathering_time: string };
  /** 0 when unknown: the writer requires the member. */
  readonly AccountNumber: number;
}
