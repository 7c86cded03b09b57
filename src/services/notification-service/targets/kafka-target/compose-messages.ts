/**
 * Due issues of one cluster → the messages for the notifications backend: one, with an event per issue in report order, or several where
 * one would be larger than a broker takes. Pure but for the ids. Source: notification-service.md 9.2.
 */

import { isUuid4 } from '../../../../contracts/identifiers.ts';
import {
  checkNotificationMessage,
  NOTIFICATION_APPLICATION,
  NOTIFICATION_BUNDLE,
  NOTIFICATION_EVENT_TYPE,
  type NotificationEvent,
  type NotificationMessage,
  notificationTimestamp,
  publishDateOf,
  serialiseNotificationMessage,
} from '../../../../contracts/notification-message.ts';
import type { ErrorKeyContent } from '../../../../contracts/rule-content.ts';
import { HEADER_MESSAGE_ID } from '../../../../contracts/topics.ts';
import { CcxError } from '../../../../encoding/ccx-error.ts';
import { cutUtf8 } from '../../../../encoding/cut-utf8.ts';
import { stringifyLikeGo } from '../../../../encoding/go-decoder.ts';
import type { ComposeContext, DueCluster, DueIssue, OutgoingNotification } from '../../ports.ts';
import { fillClusterUri, fillUri } from '../uri-template.ts';

/** Of a record's key and headers, whatever the cluster is called: a name of 36 characters, a header with an id. */
const besideBodyBytesMax = 36 * 4 + HEADER_MESSAGE_ID.length + 36;

/** Largest body of a message whose record may have `recordBytesMax` bytes, key and headers included. */
export function notificationBytesMax(recordBytesMax: number): number {
  return recordBytesMax - besideBodyBytesMax;
}

/** Description of one rule inside a message; a title has some hundred bytes. JSON may make six bytes of one, which still fits. */
export const ruleDescriptionBytesMax = 100_000;
/** An address inside a message; longer ones, from a report with absurd names, are replaced by the cluster's own. */
export const ruleUrlBytesMax = 8_192;

export interface MessageSettings {
  /** `notifications.cluster_details_uri`: `{cluster_id}`. */
  readonly clusterDetailsUri: string;
  /** `notifications.rule_details_uri`: `{cluster_id}`, `{module}`, `{error_key}`. */
  readonly ruleDetailsUri: string;
  /** `bus.record_bytes_max`: what the producer takes as one record. */
  readonly recordBytesMax: number;
}

interface Part {
  readonly issues: DueIssue[];
  readonly events: NotificationEvent[];
}

/** Composes the messages of one cluster; throws `NOTIFICATION_INVALID` when the backend would lose what comes out. */
type Composer = (cluster: DueCluster, context: ComposeContext) => OutgoingNotification[];

/**
 * What an error key of a rule says is put into words and checked once; from then on a message is pieces of text and the little that is its
 * own. What is out of the ordinary (a cluster whose name needs escaping, an address of absurd length, more than one message) is made member
 * by member and checked whole; the bytes are the same.
 */
export function createComposer(settings: MessageSettings): Composer {
  const eventTextOf = createEventTexts(settings);
  const host = addressText(fillClusterUri(settings.clusterDetailsUri, clusterMark), settings.clusterDetailsUri);
  const bytesMax = notificationBytesMax(settings.recordBytesMax);
  return (cluster, context) =>
    composeOfTexts(cluster, context, { host, eventTextOf, bytesMax }) ?? composeByMember(cluster, settings, context);
}

/** Stands for the cluster in a text that is made for all of them. */
const clusterMark = '\ue000';
/** The same in JSON and in an address. */
const plainCluster = /^[\w-]{1,36}$/;
const clusterCharsMax = 36;
/** Spellings of a component, each with its total risk, that lead to one error key's content: one, unless somebody makes them up. */
const textsPerContentMax = 16;

/** Pieces of JSON text between which the cluster's name stands. */
type TextAroundCluster = readonly string[];

interface EventText {
  readonly beforeAddress: string;
  readonly address: TextAroundCluster;
  readonly behindAddress: string;
  /** Of the whole event, with a name and a date of full length. */
  readonly bytesMax: number;
}

interface MessageTexts {
  /** Undefined: not in every message the same but for the cluster. */
  readonly host: TextAroundCluster | undefined;
  readonly eventTextOf: (issue: DueIssue) => EventText | undefined;
  readonly bytesMax: number;
}

const eventHead = '{"metadata":{},"payload":{"publish_date":"';
const dateCharsMax = 32;

function createEventTexts(settings: MessageSettings): MessageTexts['eventTextOf'] {
  const known = new WeakMap<ErrorKeyContent, Map<string, EventText | undefined>>();
  return (issue) => {
    let ofContent = known.get(issue.content);
    if (ofContent === undefined) {
      ofContent = new Map();
      known.set(issue.content, ofContent);
    }
    const key = `${issue.totalRisk} ${issue.component} ${issue.errorKey}`;
    if (ofContent.has(key)) return ofContent.get(key);
    const text = ofContent.size < textsPerContentMax ? makeEventText(issue, settings) : undefined;
    if (ofContent.size < textsPerContentMax) ofContent.set(key, text);
    return text;
  };
}

function makeEventText(issue: DueIssue, settings: MessageSettings): EventText | undefined {
  const url = ruleUrl(issue, clusterMark, settings);
  const address =
    url === undefined ? undefined : addressText(url, `${settings.ruleDetailsUri}${issue.component}${issue.errorKey}`);
  if (url === undefined || address === undefined) return undefined;
  const longest = url.replaceAll(clusterMark, 'x'.repeat(clusterCharsMax));
  if (Buffer.byteLength(longest) > ruleUrlBytesMax) return undefined;
  const { payload } = eventOf(issue, { publishDate: notificationTimestamp(new Date(0)), url: longest });
  checkNotificationMessage({ ...anyMessage, events: [{ metadata: {}, payload }] });
  const beforeAddress = `","rule_description":${stringifyLikeGo(payload.rule_description)},"rule_url":"`;
  const behindAddress = `","total_risk":"${payload.total_risk}"}}`;
  const text = `${eventHead}${beforeAddress}${stringifyLikeGo(longest)}${behindAddress}`;
  return { beforeAddress, address, behindAddress, bytesMax: Buffer.byteLength(text) + dateCharsMax };
}

/** A message that is as it should be, around an event that is to be checked. */
const anyMessage = {
  id: '00000000-0000-4000-8000-000000000000',
  bundle: NOTIFICATION_BUNDLE,
  application: NOTIFICATION_APPLICATION,
  event_type: NOTIFICATION_EVENT_TYPE,
  timestamp: notificationTimestamp(new Date(0)),
  account_id: '0',
  org_id: '1',
  context: { display_name: 'cluster', host_url: '' },
};

/** Undefined where the mark is a part of what the address is made of, or where a cluster's name might make another scheme of it. */
function addressText(address: string, madeOf: string): TextAroundCluster | undefined {
  if (madeOf.includes(clusterMark) || !/^(https?:|$)/.test(address)) return undefined;
  return stringifyLikeGo(address).slice(1, -1).split(clusterMark);
}

/** Undefined where the texts do not make the message. */
function composeOfTexts(
  { cluster, orgId, accountNumber, issues, reportUpdatedAt }: DueCluster,
  { now, uuid }: ComposeContext,
  { host, eventTextOf, bytesMax }: MessageTexts,
): OutgoingNotification[] | undefined {
  if (host === undefined || !(plainCluster.test(cluster) && orgId > 0 && accountNumber >= 0)) return undefined;
  const publishDate = publishDateOf(reportUpdatedAt, now);
  const behind = `],"context":{"display_name":"${cluster}","host_url":"${host.join(cluster)}"}}`;
  let events = '';
  let bytes = envelopeBytesMax + Buffer.byteLength(behind);
  for (const issue of issues) {
    const text = eventTextOf(issue);
    if (text === undefined) return undefined;
    bytes += text.bytesMax + 1;
    if (bytes > bytesMax) return undefined;
    const { beforeAddress, address, behindAddress } = text;
    events += `${events === '' ? '' : ','}${eventHead}${publishDate}${beforeAddress}${address.join(cluster)}${behindAddress}`;
  }
  if (events === '') return undefined;
  const id = uuid();
  if (!isUuid4(id)) return undefined;
  const head = `{"id":"${id}","bundle":"${NOTIFICATION_BUNDLE}","application":"${NOTIFICATION_APPLICATION}","event_type":"${NOTIFICATION_EVENT_TYPE}","timestamp":"${notificationTimestamp(now)}","account_id":"${accountNumber}","org_id":"${orgId}","events":[`;
  return [outgoing({ id, cluster, issues, body: head + events + behind })];
}

/** Of what stands before the events: the constant part, an id, a date, two numbers. */
const envelopeBytesMax = 300;

function outgoing({
  issues,
  ...message
}: Pick<OutgoingNotification, 'id' | 'cluster' | 'body'> & {
  readonly issues: readonly DueIssue[];
}): OutgoingNotification {
  return {
    ...message,
    target: 'notification-backend',
    issues: issues.map(({ type, component, errorKey }) => ({ type, component, errorKey })),
    headers: { [HEADER_MESSAGE_ID]: message.id },
  };
}

function composeByMember(
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
  const events = cluster.issues.map((issue) =>
    eventOf(issue, { publishDate, url: ruleUrl(issue, cluster.cluster, settings) ?? hostUrl }),
  );
  const envelopeBytes = Buffer.byteLength(stringifyLikeGo(message('', []))) + 36;
  return split(cluster.issues, events, notificationBytesMax(settings.recordBytesMax) - envelopeBytes).map((part) => {
    const id = context.uuid();
    const body = serialiseNotificationMessage(message(id, part.events));
    return outgoing({ id, cluster: cluster.cluster, issues: part.issues, body });
  });
}

function eventOf(
  issue: DueIssue,
  { publishDate, url }: { readonly publishDate: string; readonly url: string },
): NotificationEvent {
  return {
    metadata: {},
    payload: {
      publish_date: publishDate,
      rule_description: descriptionOf(issue),
      rule_url: url,
      total_risk: String(Math.max(0, Math.min(4, issue.totalRisk))),
    },
  };
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
        hint: 'bus.record_bytes_max is the largest record',
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
