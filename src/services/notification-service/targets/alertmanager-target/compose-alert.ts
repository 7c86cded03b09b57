/**
 * A row of the ledger → the alert that it is, or was: labels that never change while it is there, annotations that may. What an archive holds
 * is in neither; what a rule's author wrote is plain text. Pure.
 */
import {
  ALERT_NAME,
  ALERT_SOURCE,
  type AlertAnnotations,
  type AlertLabels,
  type PostableAlert,
} from '../../../../contracts/alertmanager.ts';
import {
  moduleOfComponent,
  type RuleContentDirectory,
  ruleNameOfComponent,
} from '../../../../contracts/rule-content.ts';
import { cutUtf8 } from '../../../../encoding/cut-utf8.ts';
import { ALERT_ACTIVE, endedBecause, type StoredAlert } from '../../decide/decide-alert.ts';
import { plainTexts } from '../plain-texts.ts';
import { fillUri } from '../uri-template.ts';

/** Alertmanager keeps annotations of every alert in memory, and mails them. */
const textBytesMax = 1_024;
const nameBytesMax = 255;

export interface AlertContext {
  readonly content: RuleContentDirectory;
  /** `notifications.rule_details_uri`. */
  readonly ruleDetailsUri: string;
  readonly now: Date;
  /** Of an active one: when it is to be taken for resolved, should nobody post it again. */
  readonly resolveAfterMs: number;
}

export function alertOf(stored: StoredAlert, context: AlertContext): PostableAlert {
  const { now, resolveAfterMs } = context;
  const isActive = stored.reason === ALERT_ACTIVE;
  const endsAt = isActive ? new Date(now.getTime() + resolveAfterMs) : dateOf(stored.decidedAt);
  const began = dateOf(stored.appearedAt ?? stored.decidedAt);
  const url = urlOf(stored, context);
  return {
    labels: labelsOf(stored),
    annotations: annotationsOf(stored, context.content, url),
    // An Alertmanager refuses what ends before it begins, and clocks differ.
    startsAt: new Date(Math.min(began.getTime(), endsAt.getTime(), now.getTime())).toISOString(),
    endsAt: endsAt.toISOString(),
    ...(url === undefined ? {} : { generatorURL: url }),
  };
}

function labelsOf({ orgId, cluster, component, errorKey, toldAs }: StoredAlert): AlertLabels {
  const [risk = '', category = ''] = toldAs.split('/');
  return {
    alertname: ALERT_NAME,
    severity: severityOf(Number(risk)),
    total_risk: risk,
    cluster_id: cluster,
    org_id: String(orgId),
    rule: moduleOfComponent(component),
    error_key: errorKey,
    category,
    source: ALERT_SOURCE,
  };
}

export function severityOf(totalRisk: number): AlertLabels['severity'] {
  if (totalRisk >= 4) return 'critical';
  return totalRisk === 3 ? 'warning' : 'info';
}

function annotationsOf(
  stored: StoredAlert,
  { rules }: RuleContentDirectory,
  url: string | undefined,
): AlertAnnotations {
  const { component, errorKey, clusterName, notificationId, staleSince, reason, acknowledgementId } = stored;
  const name = ruleNameOfComponent(component);
  const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
  const keys = rule?.error_keys ?? {};
  const content = Object.hasOwn(keys, errorKey) ? keys[errorKey] : undefined;
  // Of a rule that left the content an alert may still have to end.
  const texts =
    rule === undefined || content === undefined
      ? { description: `${name} ${errorKey}`, reason: `The recommendation ${errorKey} of ${name}.` }
      : plainTexts({ ...stored, rule, content });
  const resolution = [content?.resolution ?? '', rule?.resolution ?? ''].find(isPlain);
  return {
    summary: lineOf(texts.description, nameBytesMax) || errorKey,
    description: textOf(texts.reason),
    ...(resolution === undefined ? {} : { resolution: textOf(resolution) }),
    ...(clusterName === null ? {} : { cluster_name: lineOf(clusterName, nameBytesMax) }),
    ...(url === undefined ? {} : { runbook_url: url }),
    notification_id: notificationId,
    ...(staleSince === null ? {} : { stale_since: dateOf(staleSince).toISOString() }),
    ...(reason === ALERT_ACTIVE ? {} : { ended_because: endedBecause(reason, acknowledgementId) }),
  };
}

/** Template code is for whoever knows what the report holds. */
function isPlain(text: string): boolean {
  return text.trim() !== '' && !text.includes('{{');
}

function lineOf(text: string, bytesMax: number): string {
  const line = text.toWellFormed().replaceAll(/[\s\p{C}]+/gu, ' ');
  return cutUtf8(line.trim(), bytesMax).trimEnd();
}

/** Lines stay, other control characters go. */
function textOf(text: string): string {
  const plain = text.toWellFormed().replaceAll(/[^\P{C}\n\t]/gu, ' ');
  return cutUtf8(plain.trim(), textBytesMax).trimEnd();
}

/** Undefined where the template makes no address of it: an Alertmanager refuses an alert whose generatorURL is none. */
function urlOf({ cluster, component, errorKey }: StoredAlert, { ruleDetailsUri }: AlertContext): string | undefined {
  const filled = fillUri(ruleDetailsUri, {
    cluster_id: cluster,
    module: moduleOfComponent(component),
    error_key: errorKey,
  });
  const url = URL.parse(filled);
  return url !== null && ['http:', 'https:'].includes(url.protocol) ? url.href : undefined;
}

/** `2026-11-21 16:00:00.000001` */
function dateOf(timestamp: string): Date {
  return new Date(`${timestamp.slice(0, 23).replace(' ', 'T')}Z`);
}

/** About nothing, and gone in five minutes. */
export function testAlert({ now, uuid }: { readonly now: Date; readonly uuid: () => string }): PostableAlert {
  return {
    labels: {
      alertname: ALERT_NAME,
      severity: 'info',
      total_risk: '1',
      cluster_id: '00000000-0000-0000-0000-000000000000',
      org_id: '0',
      rule: 'test',
      error_key: 'TEST',
      category: 'other',
      source: ALERT_SOURCE,
    },
    annotations: {
      summary: 'This is a test of CCX Notifications, and about nothing',
      description: 'Somebody has called ccx receivers test.',
      notification_id: uuid(),
    },
    startsAt: now.toISOString(),
    endsAt: new Date(now.getTime() + 5 * 60_000).toISOString(),
  };
}
