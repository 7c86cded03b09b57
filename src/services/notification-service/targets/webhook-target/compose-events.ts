/**
 * Due issues of one cluster → what a webhook is posted: an event with all of them, or a message for a chat. What an archive holds is in
 * neither; what a rule's author wrote and where links lead is text. Pure.
 */
import type { Issue } from '../../../../contracts/issue.ts';
import {
  EVENT_ISSUE_NEW,
  EVENT_ISSUE_RESOLVED,
  EVENT_TEST,
  RECEIVER_EVENT_CONTENT_TYPE,
  type ReceiverEvent,
  serialiseReceiverEvent,
} from '../../../../contracts/receiver-event.ts';
import type { OutgoingNotification, ReceiverTarget } from '../../ports.ts';
import { type EventLinks, newEvent, resolvedEvent, testEvent } from '../describe-event.ts';

/** Issues of one message: a cluster with more has several. It keeps a body under about 100 KB, which any server takes. */
export const issuesPerMessageMax = 100;
/** Issues that a message for a chat names; the others are counted. Slack cuts texts at some 40,000 characters. */
const issuesNamedInChat = 20;

export const HEADER_WEBHOOK_ID = 'webhook-id';

interface EventComposer extends EventLinks {
  readonly name: string;
  readonly format: 'cloudevents' | 'slack';
}

type Composing = Pick<ReceiverTarget, 'compose' | 'composeTest' | 'reissue'> &
  Required<Pick<ReceiverTarget, 'composeResolved'>>;

export function createEventComposer(composer: EventComposer): Composing {
  const of = (event: ReceiverEvent, issues: readonly Issue[]): OutgoingNotification => ({
    id: event.id,
    target: composer.name,
    cluster: event.subject,
    issues: issues.map(({ type, component, errorKey }) => ({ type, component, errorKey })),
    body: composer.format === 'slack' ? chatBody(event) : serialiseReceiverEvent(event),
    headers: {
      'content-type': composer.format === 'slack' ? 'application/json; charset=utf-8' : RECEIVER_EVENT_CONTENT_TYPE,
      [HEADER_WEBHOOK_ID]: event.id,
    },
  });
  return {
    async compose(cluster, context) {
      const messages: OutgoingNotification[] = [];
      for (let start = 0; start < cluster.issues.length; start += issuesPerMessageMax) {
        const issues = cluster.issues.slice(start, start + issuesPerMessageMax);
        messages.push(of(newEvent(composer, { ...cluster, issues }, context), issues));
      }
      return messages;
    },
    composeResolved(resolved, context) {
      return of(resolvedEvent(composer, resolved, context), [resolved]);
    },
    composeTest(context) {
      return of(testEvent(composer, context), []);
    },
    reissue(notification, context) {
      const id = context.uuid();
      const headers = { ...notification.headers, [HEADER_WEBHOOK_ID]: id };
      if (composer.format === 'slack') return { ...notification, id, headers };
      const event = JSON.parse(notification.body) as ReceiverEvent;
      const body = serialiseReceiverEvent({ ...event, id, time: context.now.toISOString() });
      return { ...notification, id, body, headers };
    },
  };
}

const heads: Readonly<Record<ReceiverEvent['type'], string>> = {
  [EVENT_ISSUE_NEW]: 'New recommendations for cluster',
  [EVENT_ISSUE_RESOLVED]: 'Resolved on cluster',
  [EVENT_TEST]: 'This is a test of CCX Notifications, and about nothing. Cluster',
};

/** Slack's, which Mattermost and Rocket.Chat take as well: text with links, and nothing else of a markup. */
function chatBody({ type, data }: ReceiverEvent): string {
  const named = data.issues.slice(0, issuesNamedInChat);
  const more = data.issues.length - named.length;
  const lines = [
    `${heads[type]} ${chatLink(data.cluster_url, data.cluster_id)}`,
    ...named.map(({ title, risk, url }) => `• ${chatLink(url, title)} (${risk})`),
    ...(more === 0 ? [] : [`… and ${more} more`]),
  ];
  return JSON.stringify({ text: lines.join('\n') });
}

function chatLink(url: string, text: string): string {
  const isLink = /^https?:\/\//i.test(url);
  return isLink ? `<${chatUrl(url)}|${chatText(text)}>` : chatText(text);
}

/** What would end the link early, or be taken for the text behind it, is percent-encoded. */
function chatUrl(url: string): string {
  return url.replaceAll(/[\s<>|&"'`*_~]/g, (character) => encodeURIComponent(character)).replaceAll('|', '%7C');
}

/** Source: Slack, "Escaping text"; what begins code, emphasis or a mention is put so that it does not. */
function chatText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('|', '¦')
    .replaceAll(/[*_~`[\]]/g, (character) => `\u200b${character}\u200b`)
    .replaceAll(/@(?=\w)/g, '@\u200b');
}
