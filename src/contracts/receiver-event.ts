/**
 * What a webhook of an operator's own is posted: a CloudEvent in structured form. Who reads it knows a repeat by `id`, and what it is about
 * by `type` and `subject`. Members are only ever added.
 * Produced by: notification service (hop 11) → consumed by: whoever has a receiver of type webhook.
 * Source: CloudEvents 1.0.2, "JSON Event Format"; docs/receivers.md.
 */
import { z } from 'zod';
import { checked, parsedJson } from './checked.ts';
import { isUuid4 } from './identifiers.ts';

export const RECEIVER_EVENT_CONTENT_TYPE = 'application/cloudevents+json; charset=utf-8';
export const RECEIVER_EVENT_SOURCE = '/ccx-notifications';

export const EVENT_ISSUE_NEW = 'com.ccx-notifications.issue.new';
export const EVENT_ISSUE_RESOLVED = 'com.ccx-notifications.issue.resolved';
/** Says nothing but that it arrived. */
export const EVENT_TEST = 'com.ccx-notifications.test';

const invalid = { code: 'RECEIVER_EVENT_INVALID', category: 'delivery' } as const;

/** By total risk, 1 to 4; what is outside is taken for the nearest. */
const RISKS = ['low', 'moderate', 'important', 'critical'] as const;

export function riskName(totalRisk: number): (typeof RISKS)[number] {
  return RISKS[Math.min(4, Math.max(1, Math.trunc(totalRisk))) - 1]!;
}

const issueSchema = z.strictObject({
  /** Module of the rule: `ccx_rules_ocp.external.rules.node_not_ready`. */
  rule: z.string().min(1),
  error_key: z.string().min(1),
  /** One line of plain text. */
  title: z.string().min(1),
  total_risk: z.int(),
  risk: z.enum(RISKS),
  /** Where a person reads on. */
  url: z.string(),
});

/** Members in emission order. */
const eventSchema = z.strictObject({
  specversion: z.literal('1.0'),
  id: z.string().refine(isUuid4, 'must be a UUIDv4'),
  source: z.literal(RECEIVER_EVENT_SOURCE),
  type: z.enum([EVENT_ISSUE_NEW, EVENT_ISSUE_RESOLVED, EVENT_TEST]),
  /** UUID of the cluster. */
  subject: z.string().min(1),
  /** RFC 3339: of the first attempt. */
  time: z.iso.datetime(),
  datacontenttype: z.literal('application/json'),
  data: z.strictObject({
    cluster_id: z.string().min(1),
    /** Absent where the event is about a cluster that has reported nothing, as a test is. */
    org_id: z.int().optional(),
    cluster_url: z.string(),
    issues: z.array(issueSchema),
  }),
});

export type ReceiverEvent = Readonly<z.infer<typeof eventSchema>>;
export type ReceiverEventIssue = Readonly<z.infer<typeof issueSchema>>;

/** Body text → checked event, or a `CcxError` `RECEIVER_EVENT_INVALID` that names the members at fault (never their values). */
export function parseReceiverEvent(text: string): ReceiverEvent {
  return checkReceiverEvent(parsedJson(text, 'the event is not JSON', invalid));
}

/** Checked event → body text, members in the order of the schema. */
export function serialiseReceiverEvent(event: ReceiverEvent): string {
  return JSON.stringify(checkReceiverEvent(event));
}

function checkReceiverEvent(value: unknown): ReceiverEvent {
  return checked(eventSchema, value, 'the event is none of ours', invalid);
}
