/**
 * The `metadata` part of an upload and what the announcement says of it.
 * Produced by: clusters → consumed by: ingress (hop 1). Source: ingress.md A.4.5.
 */
import { decodeLikeGo, type GoType, type GoValue } from '../encoding/go-decoder.ts';
import { formatRfc3339 } from '../encoding/rfc3339.ts';
import type { AnnouncementMetadata } from './upload-announcement.ts';

/** Who an announcement with metadata says has reported it. */
const reporter = 'ingress';
const staleAfterMicros = 30n * 24n * 3_600n * 1_000_000n;

const text: GoType = { kind: 'string' };
const texts: GoType = { kind: 'list', of: text };

/** In the order in which they are announced. */
const fields = {
  ip_addresses: texts,
  account: text,
  org_id: text,
  insights_id: text,
  machine_id: text,
  subscription_manager_id: text,
  mac_addresses: texts,
  fqdn: text,
  bios_uuid: text,
  display_name: text,
  ansible_host: text,
  custom_metadata: { kind: 'map', of: text },
  reporter: text,
  stale_timestamp: { kind: 'time' },
  queue_key: text,
} as const satisfies Record<keyof AnnouncementMetadata, GoType>;

/** What is announced of an upload without metadata, or with metadata that cannot be read: Go's zero values. */
export const absentMetadata: AnnouncementMetadata = { reporter: '', stale_timestamp: '0001-01-01T00:00:00Z' };

type MetadataDecoding =
  | { readonly kind: 'decoded'; readonly metadata: AnnouncementMetadata }
  /** One bad member discards the whole document; the upload goes on without. */
  | { readonly kind: 'discarded'; readonly text: string };

/** `nowMicros`: microseconds since the epoch. */
export function decodeUploadMetadata(document: Buffer, nowMicros: bigint): MetadataDecoding {
  const decoding = decodeLikeGo(document, { kind: 'struct', name: 'Metadata', fields });
  if (decoding.kind === 'refused') return { kind: 'discarded', text: decoding.text };
  const written: Readonly<Record<string, GoValue>> = {
    ...decoding.value,
    reporter,
    stale_timestamp: formatRfc3339(nowMicros + staleAfterMicros),
  };
  const members = Object.keys(fields).flatMap((name): [string, GoValue][] => {
    const value = written[name];
    return value === undefined || isEmpty(value) ? [] : [[name, sorted(value)]];
  });
  return { kind: 'decoded', metadata: Object.fromEntries(members) as unknown as AnnouncementMetadata };
}

function isEmpty(value: GoValue): boolean {
  return value === '' || (typeof value === 'object' && Object.keys(value).length === 0);
}

/** Go writes the keys of a map in order. */
function sorted(value: GoValue): GoValue {
  if (typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
}
