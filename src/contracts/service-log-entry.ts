/**
 * Body of `POST …/service_logs/v1/cluster_logs`.
 * Produced by: notification service (hop 11) → consumed by: OCM Service Log. It answers 400 to what does not fit, so texts are fitted here.
 * Source: notification-service.md 10.2, consumers.md 2.2.
 */
import { z } from 'zod';
import { cutUtf8 } from '../encoding/cut-utf8.ts';
import { stringifyLikeGo } from '../encoding/go-decoder.ts';
import { checked, parsedJson } from './checked.ts';
import { isUuid4 } from './identifiers.ts';

/** Whether the server counts bytes or characters is not documented: bytes satisfy both. */
export const SERVICE_LOG_SUMMARY_BYTES_MAX = 255;
export const SERVICE_LOG_DESCRIPTION_BYTES_MAX = 4000;
export const SERVICE_LOG_SERVICE_NAME = 'CCX Notification Service';

/** The intersection of what the API's readers accept; the server knows more. */
const SERVICE_LOG_SEVERITIES = ['Info', 'Warning', 'Major', 'Critical'] as const;
type ServiceLogSeverity = (typeof SERVICE_LOG_SEVERITIES)[number];

function textOfBytes(bytesMin: number, bytesMax: number) {
  return z.string().refine((text) => {
    const bytes = Buffer.byteLength(text);
    return bytes >= bytesMin && bytes <= bytesMax && text.trimEnd() === text;
  }, `must have ${bytesMin} to ${bytesMax} bytes and no trailing blanks`);
}

const invalid = { code: 'SERVICE_LOG_ENTRY_INVALID', category: 'delivery' } as const;

/** Members in emission order: the reference's, then ours. */
const entrySchema = z.strictObject({
  cluster_uuid: z.string().min(1),
  description: textOfBytes(1, SERVICE_LOG_DESCRIPTION_BYTES_MAX),
  service_name: z.literal(SERVICE_LOG_SERVICE_NAME),
  severity: z.enum(SERVICE_LOG_SEVERITIES),
  summary: textOfBytes(1, SERVICE_LOG_SUMMARY_BYTES_MAX),
  created_by: z.string(),
  username: z.string(),
  /** The notification's id: how an entry is found again after an answer was lost. */
  event_stream_id: z.string().refine(isUuid4, 'must be a UUIDv4'),
});

export type ServiceLogEntry = Readonly<z.infer<typeof entrySchema>>;

/** The value as an entry, or a `CcxError` `SERVICE_LOG_ENTRY_INVALID` that names the members at fault (never their values). */
export function checkServiceLogEntry(value: unknown): ServiceLogEntry {
  return checked(entrySchema, value, 'the Service Log entry would be refused', invalid);
}

/** Body text → checked entry. */
export function parseServiceLogEntry(text: string): ServiceLogEntry {
  return checkServiceLogEntry(parsedJson(text, 'the Service Log entry is not JSON', invalid));
}

/** Checked entry → body text, members in the order of the schema. */
export function serialiseServiceLogEntry(entry: ServiceLogEntry): string {
  return stringifyLikeGo(checkServiceLogEntry(entry));
}

/** Total risk → severity; undefined outside 1 to 4, where the reference warns and takes `Info`. */
export function serviceLogSeverity(totalRisk: number): ServiceLogSeverity | undefined {
  return SERVICE_LOG_SEVERITIES[totalRisk - 1];
}

/** The text as a summary: at most 255 bytes, whole characters, no blanks at its ends. May be empty. */
export function fitSummary(text: string): string {
  return cutUtf8(text.trim(), SERVICE_LOG_SUMMARY_BYTES_MAX).trimEnd();
}

/** A longer address than this is no address that a template makes; it would leave no room for the reason. */
const linkBytesMax = SERVICE_LOG_DESCRIPTION_BYTES_MAX / 2;

/**
 * Reason, blank line, `[More details](url).` in at most 4000 bytes. The reason is cut, the link never is: its room is reserved first.
 * A link of absurd length is left out. `cut` knows where Markdown may end.
 */
export function fitDescription(reason: string, url: string, cut = cutUtf8): string {
  const link = `[More details](${url}).`;
  const room = SERVICE_LOG_DESCRIPTION_BYTES_MAX - Buffer.byteLength(`\n\n${link}`);
  if (Buffer.byteLength(link) > linkBytesMax) return cut(reason.trimEnd(), SERVICE_LOG_DESCRIPTION_BYTES_MAX).trimEnd();
  const text = cut(reason.trimEnd(), room).trimEnd();
  return text === '' ? link : `${text}\n\n${link}`;
}

const validExample: ServiceLogEntry = {
  cluster_uuid: '5d5892d3-1f74-4ccf-91af-548dfc9767aa',
  description:
    'The node is not ready.\n\n[More details](https://console.redhat.com/openshift/insights/advisor/recommendations/ccx_rules_ocp.external.rules.x|KEY).',
  service_name: SERVICE_LOG_SERVICE_NAME,
  severity: 'Major',
  summary: 'A node is not ready',
  created_by: 'service-account-ccx-notification-service',
  username: 'insights-advisor',
  event_stream_id: '7b6f1c1e-3f0d-4a55-9f0e-2f6f7a6f1c22',
};

/** Examples for the tests of both sides; each invalid one says why the server or we refuse it. */
export const serviceLogEntryExamples: {
  readonly valid: readonly ServiceLogEntry[];
  readonly invalid: readonly { readonly why: string; readonly value: unknown }[];
} = {
  valid: [validExample, { ...validExample, severity: 'Info', created_by: '', username: '', summary: 'ž'.repeat(127) }],
  invalid: [
    { why: 'no cluster', value: { ...validExample, cluster_uuid: undefined } },
    { why: 'an empty summary', value: { ...validExample, summary: '' } },
    { why: 'a summary of 256 bytes', value: { ...validExample, summary: 'ž'.repeat(128) } },
    { why: 'a description of 4001 bytes', value: { ...validExample, description: 'x'.repeat(4001) } },
    { why: 'a trailing blank', value: { ...validExample, summary: 'A node is not ready ' } },
    { why: 'a severity that not every reader knows', value: { ...validExample, severity: 'Important' } },
    { why: 'another service name', value: { ...validExample, service_name: 'SREManualAction' } },
    { why: 'an id that the look-up does not know', value: { ...validExample, event_stream_id: 'abc' } },
    { why: 'a member that we do not send', value: { ...validExample, internal_only: true } },
  ],
};
