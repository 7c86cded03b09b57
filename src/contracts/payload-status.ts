/**
 * Topic `platform.payload-status`: what a service did with a request id. No key, no headers.
 * Produced by: every service → consumed by: payload tracker, read leniently, because anybody may write here.
 * Source: ingress.md A.8, data-pipeline.md 6.2, notification-writer.md 3.5.
 */
import { type CcxError, inputError } from '../encoding/ccx-error.ts';
import { isJsonObject, type JsonValue } from '../encoding/json-text.ts';
import { type Moment, parseRfc3339 } from '../encoding/rfc3339.ts';

/** Years that every reader of the table can show. */
const canonicalYear = /^(?!0000)\d{4}-/;
/** `service` field of status messages. Sources: ingress.md A.8, data-pipeline.md 6.2, notification-writer.md 2.3. */
export const STATUS_SERVICE_INGRESS = 'ingress';
export const STATUS_SERVICE_DATA_PIPELINE = 'ccx-data-pipeline';
export const STATUS_SERVICE_WRITER = 'ccx-notification-writer';
export const STATUS_SERVICE_NOTIFIER = 'ccx-notification-service';
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
  const subject = { account, org_id, request_id, inventory_id, system_id };
  return JSON.stringify({ service, source, ...subject, status, status_msg, date });
}

/**
 * The same for many requests that have the rest in common: answers with what writes the message of a request, and writes nothing but its id
 * anew.
 */
export function payloadStatusOf(
  common: Pick<PayloadStatusMessage, 'service' | 'status' | 'date'>,
): (requestId: string) => string {
  const { service, ...rest } = common;
  const before = `${JSON.stringify({ service }).slice(0, -1)},"request_id":`;
  const after = `,${JSON.stringify({ status: rest.status, date: rest.date }).slice(1)}`;
  return (requestId) => before + JSON.stringify(requestId) + after;
}

/**
 * Reads a message of topic `platform.payload-status`. Many services of other teams write there, so everything that can be understood is
 * taken: any status word, numbers for text, a blank for the `T` of the time, a missing zone. Called by the payload tracker.
 * Source: ingress.md A.8.
 */
interface ReceivedStatus {
  /** Lower case, as are `status` and `source`. */
  readonly service: string;
  readonly source: string | undefined;
  readonly account: string | undefined;
  readonly orgId: string | undefined;
  readonly requestId: string;
  readonly inventoryId: string | undefined;
  readonly systemId: string | undefined;
  /** One of `PayloadStatus`, or a word of somebody else's. */
  readonly status: string;
  readonly statusMessage: string | undefined;
  readonly date: Moment;
}

export type PayloadStatusParse =
  | { readonly kind: 'received'; readonly status: ReceivedStatus }
  | { readonly kind: 'refused'; readonly error: CcxError };

/** Never throws. Codes: `STATUS_NOT_JSON`, `STATUS_MISSING_MEMBER`, `STATUS_DATE`. */
export function parsePayloadStatus(value: Buffer | null): PayloadStatusParse {
  let document: JsonValue;
  try {
    document = JSON.parse(value?.toString('utf8') ?? '') as JsonValue;
  } catch (cause) {
    return refuse('STATUS_NOT_JSON', 'the status is not JSON', cause);
  }
  if (!isJsonObject(document)) return refuse('STATUS_NOT_JSON', 'the status is not a JSON object');
  const member = (name: string) => textOf(document[name]);

  const requestId = member('request_id');
  if (requestId === undefined) return refuseMissing('request_id');
  const service = member('service');
  if (service === undefined) return refuseMissing('service');
  const status = member('status');
  if (status === undefined) return refuseMissing('status');
  const written = member('date');
  if (written === undefined) return refuseMissing('date');
  const date = parseDate(written);
  if (date === undefined) return refuse('STATUS_DATE', `date is not RFC 3339: ${written.slice(0, 40)}`);

  return {
    kind: 'received',
    status: {
      service: service.toLowerCase(),
      source: member('source')?.toLowerCase(),
      account: member('account'),
      orgId: member('org_id'),
      requestId,
      inventoryId: member('inventory_id'),
      systemId: member('system_id'),
      status: status.toLowerCase(),
      statusMessage: member('status_msg'),
      date,
    },
  };
}

/** Text and numbers; empty and everything else is as good as absent. */
function textOf(value: JsonValue | undefined): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value.toWellFormed() : undefined;
}

function parseDate(written: string): Moment | undefined {
  const text = written.trim().replace(/^(\d{4}-\d\d-\d\d) /, '$1T');
  const zoned = /T.*(Z|[+-]\d\d:\d\d)$/.test(text) ? text : `${text}Z`;
  const moment = parseRfc3339(zoned);
  return moment !== undefined && canonicalYear.test(moment.canonical) ? moment : undefined;
}

function refuseMissing(member: string): PayloadStatusParse {
  return refuse('STATUS_MISSING_MEMBER', `the status has no ${member}`);
}

function refuse(...said: Parameters<typeof inputError>): PayloadStatusParse {
  return { kind: 'refused', error: inputError(...said) };
}
