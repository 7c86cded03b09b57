/**
 * Topic `platform.payload-status`: what a service did with a request id. No key, no headers.
 * Produced by: every service → consumed by: payload tracker. Source: ingress.md A.8, data-pipeline.md 6.2, notification-writer.md 3.5.
 */
export type PayloadStatus = 'received' | 'processing' | 'processed' | 'success' | 'error';

/** Members in emission order; absent ones are omitted. */
export interface PayloadStatusMessage {
  readonly service: string;
  readonly account?: string;
  readonly org_id?: string;
  readonly request_id: string;
  readonly inventory_id?: string;
  readonly system_id?: string;
  readonly status: PayloadStatus;
  readonly status_msg?: string;
  /** UTC, RFC 3339 with up to nine fractional digits. */
  readonly date: string;
}
