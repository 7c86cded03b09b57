/**
 * Due issues of one cluster → the messages for the notifications backend: one, with an event per issue in report order, or several where
 * one would be larger than a broker takes. Pure but for the ids. Source: notification-service.md 9.2.
 */

import {
  NOTIFICATION_APPLICATION,
  NOTIFICATION_BUNDLE,
  NOTIFICATION_EVENT_TYPE,
  type NotificationEvent,
  type NotificationMessage,
  notificationTimestamp,
  publishDateOf,
  serialiseNotificationMessage,
} from '../../../../contracts/notification-message.ts';
import { HEADER_MESSAGE_ID } from '../../../../contracts/topics.ts';
import { CcxError } from '../../../../encoding/ccx-error.ts';
import { cutUtf8 } from '../../../../encoding/cut-utf8.ts';
import { stringifyLikeGo } from '../../../../encoding/go-decoder.ts';
import type { ComposeContext, DueCluster, DueIssue, OutgoingNotification } from '../../ports.ts';
import { fillClusterUri, fillUri } from '../uri-template.ts';

/**
 * Body of one Kafka message. The reference's producer and the brokers' default stop at about 1 MiB for key, value, headers and framing
 * together; this leaves room for those.
 */
export const notificationBytesMax = 1_000_000;
/** Description of one rule inside a message; a title has some hundred bytes. JSON may make six bytes of one, which still fits. */
export const ruleDescriptionBytesMax = 100_000;
/** An address inside a message; longer ones, from a report with absurd names, are replaced by the cluster's own. */
export const ruleUrlBytesMax = 8_192;

export interface MessageSettings {
  /** `notifications.cluster_details_uri`: `{cluster_id}`. */
  readonly clusterDetailsUri: string;
  /** `notifications.rule_details_uri`: `{cluster_id}`, `{module}`, `{error_key}`. */
  readonly ruleDetailsUri: string;
}

interface Part {
  readonly issues: DueIssue[];
  readonly events: NotificationEvent[];
}

/** Throws `NOTIFICATION_INVALID` when the backend would lose what comes out. */
export function composeMessages(
  cluster: DueCluster,
  settings: MessageSettings,
  context: ComposeContext,
): OutgoingNotification[] {
  const hostUrl = fillClusterUri(settings.clusterDetailsUri, cluster.cluster);
  const publishDate = publishDateOf(cluster.reportUpdatedAt, context.now);
  const message = (id: string, events: NotificationEvent[]): NotificationMessage => ({
    id,
    bundle: NOTIFICATION_BUNDLE,
    application: NOTIFICATION_APPLICATION,
    event_type: NOTIFICATION_EVENT_TYPE,
    timestamp: notificationTimestamp(context.now),
    account_id: String(cluster.accountNumber),
    org_id: String(cluster.orgId),
    events,
    context: { display_name: cluster.cluster, host_url: hostUrl },
  });
  const events = cluster.issues.map(
    (issue): NotificationEvent => ({
      metadata: {},
      payload: {
        publish_date: publishDate,
        rule_description: descriptionOf(issue),
        rule_url: ruleUrl(issue, cluster.cluster, settings) ?? hostUrl,
        total_risk: String(Math.max(0, Math.min(4, issue.totalRisk))),
      },
    }),
  );
  const envelopeBytes = Buffer.byteLength(stringifyLikeGo(message('', []))) + 36;
  return split(cluster.issues, events, notificationBytesMax - envelopeBytes).map((part) => {
    const id = context.uuid();
    return {
      id,
      target: 'notification-backend',
      cluster: cluster.cluster,
      issues: part.issues.map(({ type, component, errorKey }) => ({ type, component, errorKey })),
      body: serialiseNotificationMessage(message(id, part.events)),
      headers: { [HEADER_MESSAGE_ID]: id },
    };
  });
}

/** Fills one part after the other in report order, so the same issues always give the same parts. */
function split(issues: readonly DueIssue[], events: readonly NotificationEvent[], bytesMax: number): Part[] {
  const parts: Part[] = [];
  let room = 0;
  for (const [index, event] of events.entries()) {
    const bytes = Buffer.byteLength(stringifyLikeGo(event)) + 1;
    if (bytes > bytesMax) {
      throw new CcxError(`one event has ${bytes} bytes, more than a message may have`, {
        code: 'NOTIFICATION_TOO_LARGE',
        category: 'limit',
      });
    }
    if (bytes > room) {
      parts.push({ issues: [], events: [] });
      room = bytesMax;
    }
    const part = parts.at(-1)!;
    part.issues.push(issues[index]!);
    part.events.push(event);
    room -= bytes;
  }
  return parts;
}

/** The backend's mail links this text: an empty one would be a link that nobody can see. */
function descriptionOf(issue: DueIssue): string {
  const text =
    issue.content.metadata.description.trim() === '' ? issue.rule.plugin.name : issue.content.metadata.description;
  return cutUtf8(text.trim() === '' ? issue.errorKey : text, ruleDescriptionBytesMax);
}

/** `{module}` is the component as it is in the report, dots turned into bars; undefined when the address is of absurd length. */
function ruleUrl(issue: DueIssue, cluster: string, settings: MessageSettings): string | undefined {
  const url = fillUri(settings.ruleDetailsUri, {
    cluster_id: cluster,
    module: issue.component.replaceAll('.', '|'),
    error_key: issue.errorKey,
  });
  return Buffer.byteLength(url) > ruleUrlBytesMax ? undefined : url;
}
