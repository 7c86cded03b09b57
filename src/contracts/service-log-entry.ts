/**
 * Body of `POST …/service_logs/v1/cluster_logs`.
 * Produced by: notification service (hop 11) → consumed by: OCM Service Log. Source: notification-service.md 10.2, consumers.md 2.2.
 */
export const SERVICE_LOG_SUMMARY_BYTES_MAX = 255;
export const SERVICE_LOG_DESCRIPTION_BYTES_MAX = 4000;
export const SERVICE_LOG_SERVICE_NAME = 'CCX Notification Service';

export type ServiceLogSeverity = 'Info' | 'Warning' | 'Major' | 'Critical';

export interface ServiceLogEntry {
  readonly cluster_uuid: string;
  readonly description: string;
  readonly service_name: string;
  readonly severity: ServiceLogSeverity;
  readonly summary: string;
  readonly created_by: string;
  readonly username: string;
  /** The notification's id: how an entry is found again after an answer was lost. */
  readonly event_stream_id: string;
}
