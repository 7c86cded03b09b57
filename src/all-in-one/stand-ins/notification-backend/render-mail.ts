/**
 * The mail that the backend makes of a new recommendation, as plain text. It reads what the hosted templates read, and like them it fails
 * on anything that is missing, and on a date that is later than its own clock. Source: consumers.md 1.5.
 */
import type { JsonObject } from '../../../encoding/json-text.ts';
import { type Action, RefusedMessage, readTime } from './read-action.ts';

export interface Mail {
  readonly orgId: string;
  /** The display name, which is the cluster's id. */
  readonly cluster: string;
  readonly subject: string;
  readonly text: string;
}

const severityNames: Readonly<Record<string, string>> = {
  '1': 'Low',
  '2': 'Moderate',
  '3': 'Important',
  '4': 'Critical',
};

/** Throws `RefusedMessage` where rendering would fail and the whole mail be lost. */
export function renderMail(action: Action, now: Date): Mail {
  const cluster = textOf(action.context, 'context', 'display_name');
  const hostUrl = textOf(action.context, 'context', 'host_url');
  const lines = action.payloads.map((payload, index) => {
    const read = (name: string) => textOf(payload, `events[${index}].payload`, name);
    const risk = read('total_risk');
    const line = `* ${read('rule_description')} [${severityNames[risk] ?? 'no picture'}, ${timeAgo(read('publish_date'), now)}]`;
    return `${line}\n  ${read('rule_url')}`;
  });
  const count = action.payloads.length;
  const plural = count === 1 ? '' : 's';
  return {
    orgId: action.orgId,
    cluster,
    subject: `Instant notification - New recommendation - Advisor - OpenShift (${cluster})`,
    text: `The ${cluster} has ${count} new recommendation${plural}.\n${hostUrl}\n\n${lines.join('\n')}\n`,
  };
}

/** A value that is no text, such as a number, is drawn too, but matches no picture; so it is refused here, as the strictest reading. */
function textOf(values: JsonObject, where: string, name: string): string {
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (typeof value === 'string') return value;
  throw new RefusedMessage(`${where}.${name} ${value === undefined ? 'is missing' : 'is no text'}`);
}

/** The zone is thrown away, and a time later than now, in whole seconds, is an error. */
function timeAgo(publishDate: string, now: Date): string {
  const local = publishDate.replace(/(Z|[+-]\d\d:\d\d)$/, '');
  const seconds = Math.floor(now.getTime() / 1000) - Math.floor(readTime(local, 'publish_date') / 1000);
  if (seconds < 0) throw new RefusedMessage('publish_date is in the future');
  if (seconds < 60) return 'just now';
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ago` : `${Math.floor(hours / 24)} d ago`;
}
