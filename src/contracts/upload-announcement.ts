/**
 * Topic `platform.upload.announce`, one JSON object per accepted upload, header `service`.
 * Produced by: ingress (hop 2) → consumed by: data pipeline (hop 3), storage broker. Source: ingress.md A.7, data-pipeline.md 2.3.
 */
export interface AnnouncementMetadata {
  readonly ip_addresses?: readonly string[];
  readonly account?: string;
  readonly org_id?: string;
  readonly insights_id?: string;
  readonly machine_id?: string;
  readonly subscription_manager_id?: string;
  readonly mac_addresses?: readonly string[];
  readonly fqdn?: string;
  readonly bios_uuid?: string;
  readonly display_name?: string;
  readonly ansible_host?: string;
  readonly custom_metadata?: Readonly<Record<string, string>>;
  readonly reporter: string;
  /** RFC 3339; `0001-01-01T00:00:00Z` when the upload had no metadata. */
  readonly stale_timestamp: string;
  readonly queue_key?: string;
}

/** As ingress writes it; fields in emission order. */
export interface UploadAnnouncement {
  readonly account: string;
  readonly category: string;
  readonly content_type: string;
  readonly metadata: AnnouncementMetadata;
  readonly request_id: string;
  /** The organization id, for historical reasons. */
  readonly principal: string;
  readonly org_id: string;
  readonly service: string;
  readonly size: number;
  readonly url: string;
  readonly b64_identity: string;
  /** RFC 3339, taken after staging. */
  readonly timestamp: string;
}
