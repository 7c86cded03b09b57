/**
 * Topic `platform.notifications.ingress`, the "Action" form, header `rh-message-id` equal to `id`.
 * Produced by: notification service (hop 11) → consumed by: notifications backend, which gives no feedback: a wrong message is a silently
 * lost notification. So the check here is the strictest that any reader of the topic is known to apply, and it runs before producing.
 * Source: notification-service.md 9.2, consumers.md 1.2, 1.5, 1.7.
 */
import { z } from 'zod';
import { stringifyLikeGo } from '../encoding/go-decoder.ts';
import { checked, parsedJson } from './checked.ts';
import { isUuid4 } from './identifiers.ts';

export const NOTIFICATION_BUNDLE = 'openshift';
export const NOTIFICATION_APPLICATION = 'advisor';
export const NOTIFICATION_EVENT_TYPE = 'new-recommendation';

const timestamp = z.string().refine(isTrimmedTimestamp, 'must be UTC, RFC 3339, without trailing zeros');
const identifierDigits = z.string().max(50).regex(/^\d+$/, 'must be digits');
const link = z.string().refine(isSafeLink, 'must be an http or https address');

const invalid = { code: 'NOTIFICATION_INVALID', category: 'delivery' } as const;

/** Members in emission order. No `version` and no `recipients`: the backend's defaults are meant. */
const messageSchema = z
  .strictObject({
    id: z.string().refine(isUuid4, 'must be a UUIDv4'),
    bundle: z.literal(NOTIFICATION_BUNDLE),
    application: z.literal(NOTIFICATION_APPLICATION),
    event_type: z.literal(NOTIFICATION_EVENT_TYPE),
    /** Decision time. The backend forgets the id one day after it. */
    timestamp,
    /** `"0"` when unknown. */
    account_id: identifierDigits,
    org_id: identifierDigits.refine((text) => /[1-9]/.test(text), 'must be positive'),
    events: z
      .array(
        z.strictObject({
          metadata: z.strictObject({}),
          payload: z.strictObject({
            /** Never in the future: the e-mail connector throws otherwise, and all of the message's mail is lost. */
            publish_date: timestamp,
            rule_description: z.string(),
            rule_url: link,
            /** A string: the e-mail template matches text, and an integer shows no picture. */
            total_risk: z.string().regex(/^[0-4]$/, 'must be a string "0" to "4"'),
          }),
        }),
      )
      .min(1),
    context: z.strictObject({ display_name: z.string().min(1), host_url: link }),
  })
  .refine(
    (message) => message.events.every((event) => !isLater(event.payload.publish_date, message.timestamp)),
    'events[].payload.publish_date must not be later than timestamp',
  );

export type NotificationMessage = Readonly<z.infer<typeof messageSchema>>;
export type NotificationEvent = NotificationMessage['events'][number];

/**
 * Whether the backend takes a message for such a cluster at all: it knows no recipients of organization 0, and no negative numbers. What
 * is refused here is refused for ever, whatever the message says.
 */
export function hasNotificationRecipient(cluster: {
  readonly orgId: number;
  readonly accountNumber: number;
  readonly cluster: string;
}): boolean {
  return cluster.orgId > 0 && cluster.accountNumber >= 0 && cluster.cluster !== '';
}

/** The value as a message, or a `CcxError` `NOTIFICATION_INVALID` that names the members at fault (never their values). */
export function checkNotificationMessage(value: unknown): NotificationMessage {
  return checked(messageSchema, value, 'the notification would be lost without a trace', invalid);
}

/** Body text → checked message. */
export function parseNotificationMessage(text: string): NotificationMessage {
  return checkNotificationMessage(parsedJson(text, 'the notification is not JSON', invalid));
}

/** Checked message → body text, members in the order of the schema. */
export function serialiseNotificationMessage(message: NotificationMessage): string {
  return stringifyLikeGo(checkNotificationMessage(message));
}

/** Go's RFC3339Nano: trailing zeros of the fraction removed, no dot when nothing is left. */
export function notificationTimestamp(time: Date): string {
  return trimFraction(time.toISOString());
}

/** Room for a connector whose clock is behind ours: it throws on a `publish_date` that is later than its own now. */
const PUBLISH_DATE_MARGIN_MS = 5_000;

/**
 * `new_reports.updated_at` (PostgreSQL text, UTC) as `publish_date`, never later than now minus a few seconds. A value that is no plain
 * time (`infinity`, a year before Christ) becomes that bound too.
 */
export function publishDateOf(reportUpdatedAt: string, now: Date): string {
  const latest = new Date(now.getTime() - PUBLISH_DATE_MARGIN_MS).toISOString();
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?$/.exec(reportUpdatedAt);
  if (match === null) return trimFraction(latest);
  const published = `${match[1]}T${match[2]}.${(match[3] ?? '').padEnd(6, '0')}Z`;
  return trimFraction(isLater(published, latest) ? latest : published);
}

function trimFraction(iso: string): string {
  return iso.replace(/\.(\d*?)0*Z$/, (_whole, digits: string) => (digits === '' ? 'Z' : `.${digits}Z`));
}

function isTrimmedTimestamp(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z$/.test(text) && !Number.isNaN(Date.parse(text));
}

/** Both UTC with four-digit years: compared as text after the fraction is padded, so microseconds count. */
function isLater(left: string, right: string): boolean {
  return sortable(left) > sortable(right);
}

function sortable(iso: string): string {
  const [seconds, fraction] = iso.slice(0, -1).split('.');
  return `${seconds}.${(fraction ?? '').padEnd(9, '0')}`;
}

/** Empty and relative addresses come from an unset template and harm nobody; another scheme, such as `javascript:`, might. */
function isSafeLink(text: string): boolean {
  const scheme = /^[\u0000-\u0020]*([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase();
  return scheme === undefined || scheme === 'http' || scheme === 'https';
}

const validExample: NotificationMessage = {
  id: '7b6f1c1e-3f0d-4a55-9f0e-2f6f7a6f1c22',
  bundle: NOTIFICATION_BUNDLE,
  application: NOTIFICATION_APPLICATION,
  event_type: NOTIFICATION_EVENT_TYPE,
  timestamp: '2026-03-01T10:15:30.123456Z',
  account_id: '0',
  org_id: '7654321',
  events: [
    {
      metadata: {},
      payload: {
        publish_date: '2026-03-01T10:10:00Z',
        rule_description: 'Nodes report <NotReady> & pods are evicted',
        rule_url:
          'https://console.redhat.com/openshift/details/5d5892d3/insights/ccx_rules_ocp|external|rules|x|report/KEY',
        total_risk: '3',
      },
    },
  ],
  context: {
    display_name: '5d5892d3-1f74-4ccf-91af-548dfc9767aa',
    host_url: 'https://console.redhat.com/openshift/details/5d5892d3-1f74-4ccf-91af-548dfc9767aa#insights',
  },
};

function withPayload(change: Readonly<Record<string, unknown>>): unknown {
  const event = validExample.events[0]!;
  return { ...validExample, events: [{ ...event, payload: { ...event.payload, ...change } }] };
}

/** Examples for the tests of both sides; each invalid one says what it would cost. */
export const notificationMessageExamples: {
  readonly valid: readonly NotificationMessage[];
  readonly invalid: readonly { readonly why: string; readonly value: unknown }[];
} = {
  valid: [validExample, { ...validExample, account_id: '1234567', context: { display_name: 'x', host_url: '' } }],
  invalid: [
    { why: 'not an object', value: [] },
    {
      why: 'a UUIDv5 switches deduplication off',
      value: { ...validExample, id: '7b6f1c1e-3f0d-5a55-9f0e-2f6f7a6f1c22' },
    },
    { why: 'no dashes, not deduplicated', value: { ...validExample, id: '7b6f1c1e3f0d4a559f0e2f6f7a6f1c22' } },
    { why: 'an unregistered event type is dropped', value: { ...validExample, event_type: 'weekly-digest' } },
    { why: 'no timestamp, dropped', value: { ...validExample, timestamp: undefined } },
    { why: 'a local time is misread', value: { ...validExample, timestamp: '2026-03-01T10:15:30+01:00' } },
    { why: 'no such day', value: { ...validExample, timestamp: '2026-02-31T10:15:30Z' } },
    { why: 'organization 0 has no recipients', value: { ...validExample, org_id: '0' } },
    { why: 'a number does not fit the column', value: { ...validExample, org_id: 7654321 } },
    { why: 'no events, nothing to notify', value: { ...validExample, events: [] } },
    { why: 'an unknown member may be refused', value: { ...validExample, version: '2.0.0' } },
    { why: 'the template reads context.host_url', value: { ...validExample, context: { display_name: 'x' } } },
    { why: 'the template matches a string', value: withPayload({ total_risk: 3 }) },
    {
      why: 'a date in the future loses the mail',
      value: withPayload({ publish_date: '2026-03-01T10:15:30.1234561Z' }),
    },
    { why: 'the template reads rule_description', value: withPayload({ rule_description: undefined }) },
    { why: 'a link must not run code', value: withPayload({ rule_url: 'javascript:alert(1)' }) },
    { why: 'a further key becomes a public contract', value: withPayload({ reason: 'x' }) },
    {
      why: 'metadata null stops the backend',
      value: { ...validExample, events: [{ ...validExample.events[0]!, metadata: null }] },
    },
  ],
};
