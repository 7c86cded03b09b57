/**
 * An issue as an Alertmanager gets it, and what is read back from it. Labels are what an alert is known by: none of them may change while
 * the issue is there (a count, a time, a name that people give), or it would be another alert.
 * Produced by: notification service → consumed by: Alertmanager, API v2; and back: its alerts and silences → notification service.
 * Source: Alertmanager, api/v2/openapi.yaml (postableAlert, gettableAlert, gettableSilence); docs/receivers.md.
 */
import { z } from 'zod';
import { isUuid } from './identifiers.ts';

/** Value of `alertname` of all of them. */
export const ALERT_NAME = 'InsightsRecommendation';
/** Value of `source`, by which they are found again among what others post. */
export const ALERT_SOURCE = 'ccx-notifications';

export interface AlertLabels {
  readonly alertname: typeof ALERT_NAME;
  readonly severity: 'critical' | 'warning' | 'info';
  readonly total_risk: string;
  readonly cluster_id: string;
  readonly org_id: string;
  /** Module of the rule: `ccx_rules_ocp.external.rules.node_not_ready`. */
  readonly rule: string;
  readonly error_key: string;
  readonly category: string;
  readonly source: typeof ALERT_SOURCE;
}

export interface AlertAnnotations {
  readonly summary: string;
  readonly description: string;
  readonly resolution?: string;
  /** That a person gave it. */
  readonly cluster_name?: string;
  readonly runbook_url?: string;
  readonly notification_id: string;
  /** Of one whose cluster has stopped reporting: since when. It stays as it was. */
  readonly stale_since?: string;
  /** Of one that ends with this post: why. */
  readonly ended_because?: string;
}

export interface PostableAlert {
  readonly labels: AlertLabels;
  readonly annotations: AlertAnnotations;
  /** RFC 3339. */
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL?: string;
}

/** Source: Alertmanager's model: a label's value is any UTF-8 text. Longer ones, and ones with control characters, are nobody's. */
const labelBytesMax = 1_024;

/** The name of the first label that cannot be posted; undefined: all can. */
export function labelFault(labels: AlertLabels): string | undefined {
  const isFine = (value: string) =>
    value !== '' && value.isWellFormed() && !/\p{Cc}/u.test(value) && Buffer.byteLength(value) <= labelBytesMax;
  return Object.entries(labels).find(([, value]) => !isFine(value))?.[0];
}

const silencedAlertSchema = z.object({
  labels: z.object({
    cluster_id: z.string().refine(isUuid),
    org_id: z.string().regex(/^\d{1,10}$/),
    rule: z.string().max(labelBytesMax),
    error_key: z.string().max(labelBytesMax),
  }),
  status: z.object({ silencedBy: z.array(z.string().min(1).max(64)) }),
});

export type SilencedAlert = Readonly<z.infer<typeof silencedAlertSchema>>;

const silenceSchema = z.object({
  id: z.string().min(1).max(64),
  endsAt: z.iso.datetime({ offset: true }),
  createdBy: z.string(),
  comment: z.string(),
  status: z.object({ state: z.enum(['expired', 'active', 'pending']) }),
});

export type AlertmanagerSilence = Readonly<z.infer<typeof silenceSchema>>;

/** Undefined for one that has no such labels: whoever posts alerts may call theirs as ours. */
export function parseSilencedAlert(text: string): SilencedAlert | undefined {
  return parsed(silencedAlertSchema, text);
}

export function parseSilence(text: string): AlertmanagerSilence | undefined {
  return parsed(silenceSchema, text);
}

function parsed<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
