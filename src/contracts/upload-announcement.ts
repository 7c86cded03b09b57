/**
 * Topic `platform.upload.announce`, one JSON object per accepted upload, header `service`.
 * Produced by: ingress (hop 2) → consumed by: data pipeline (hop 3), storage broker. Source: ingress.md A.7, data-pipeline.md 2.3.
 */
import { type CcxError, inputError } from '../encoding/ccx-error.ts';
import { stringifyLikeGo } from '../encoding/go-decoder.ts';
import { isJsonObject, type JsonObject, parseUtf8Json } from '../encoding/json-text.ts';
import { type ConsumerIdentity, parseConsumerIdentity } from './identity.ts';

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

/** JSON as Go writes it, members in the order of the interface. */
export function serializeUploadAnnouncement(announcement: UploadAnnouncement): string {
  const { account, category, content_type, metadata, request_id, principal, org_id, service, ...rest } = announcement;
  const { size, url, b64_identity, timestamp } = rest;
  const sender = { account, category, content_type, metadata, request_id, principal, org_id, service };
  return stringifyLikeGo({ ...sender, size, url, b64_identity, timestamp });
}

/** As the data pipeline reads it. Only what is listed here was checked; everything else of the message is left out. */
export interface ParsedAnnouncement {
  readonly url: string;
  /** Any text; not looked into. */
  readonly timestamp: string;
  readonly identity: ConsumerIdentity;
  /** The message's own, else the identity's `system.cluster_id`; null where neither names one. Not checked to be a UUID. */
  readonly cluster_name: string | null;
  /** Absent where it is missing, empty or no text. */
  readonly request_id?: string;
  readonly size?: number;
  readonly metadata?: { readonly custom_metadata?: Readonly<Record<string, unknown>> };
}

type AnnouncementParse =
  | { readonly kind: 'received'; readonly announcement: ParsedAnnouncement }
  /** The message of the error is the reference's. */
  | { readonly kind: 'refused'; readonly error: CcxError };

/**
 * A record's value. Codes: `ANNOUNCEMENT_MISSING`, `ANNOUNCEMENT_EMPTY`, `ANNOUNCEMENT_NOT_JSON`, `ANNOUNCEMENT_SCHEMA`, and those of
 * `parseConsumerIdentity`. Never throws.
 */
export function parseUploadAnnouncement(value: Buffer | null): AnnouncementParse {
  if (value === null) return refuse('ANNOUNCEMENT_MISSING', 'No incoming message');
  if (value.length === 0) return refuse('ANNOUNCEMENT_EMPTY', 'Unable to read incoming message');
  let document: unknown;
  try {
    document = parseUtf8Json(value);
  } catch (cause) {
    return refuse('ANNOUNCEMENT_NOT_JSON', 'Unable to decode received message', cause);
  }
  if (!hasAnnouncementSchema(document)) return refuse('ANNOUNCEMENT_SCHEMA', 'Invalid input message JSON schema');
  const identity = parseConsumerIdentity(document.b64_identity);
  if (identity.kind === 'refused') return identity;
  return { kind: 'received', announcement: announcementOf(document, identity.identity) };
}

interface RequiredMembers {
  readonly url: string;
  readonly b64_identity: string;
  readonly timestamp: string;
}

function hasAnnouncementSchema(document: unknown): document is RequiredMembers & JsonObject {
  return (
    isJsonObject(document) &&
    ['url', 'b64_identity', 'timestamp'].every(
      (name) => Object.hasOwn(document, name) && typeof document[name] === 'string',
    )
  );
}

function announcementOf(document: RequiredMembers & JsonObject, identity: ConsumerIdentity): ParsedAnnouncement {
  const own = (name: string) => (Object.hasOwn(document, name) ? document[name] : undefined);
  const requestId = own('request_id');
  const size = own('size');
  const metadata = own('metadata');
  const customMetadata = isJsonObject(metadata) ? metadata['custom_metadata'] : undefined;
  return {
    url: document.url,
    timestamp: document.timestamp,
    identity,
    cluster_name: nonEmptyText(own('cluster_name')) ?? nonEmptyText(identity.identity.system?.cluster_id) ?? null,
    ...(typeof requestId === 'string' && requestId !== '' ? { request_id: requestId } : {}),
    ...(typeof size === 'number' ? { size } : {}),
    ...(isJsonObject(customMetadata) ? { metadata: { custom_metadata: customMetadata } } : {}),
  };
}

function nonEmptyText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function refuse(...said: Parameters<typeof inputError>): AnnouncementParse {
  return { kind: 'refused', error: inputError(...said) };
}
