/**
 * Topic `platform.payload-status`: what a service did with a request id. No key, no headers.
 * Produced by: every service → consumed by: payload tracker (`parse-payload-status.ts`, which is lenient, because anybody may write here).
 * Source: ingress.md A.8, data-pipeline.md 6.2, notification-writer.md 3.5.
 */
export type PayloadStatus = 'received' | 'processing' | 'processed' | 'success' | 'error';

/** Members in emission order; absent ones are omitted. */
export interface PayloadStatusMessage {
  readonly service: string;
  readonly source?: string;
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

/** Compact JSON, members in the order above whatever order they were given in: scripts and the black-box suites compare text. */
export function serializePayloadStatus(message: PayloadStatusMessage): string {
  const { service, source, account, org_id, request_id, inventory_id, system_id, status, status_msg, date } = message;
  return JSON.stringify({
    service,
    source,
    account,
    org_id,
    request_id,
    inventory_id,
    system_id,
    status,
    status_msg,
    date,
  });
}
