/** An entry of `[[receivers]]` of type alertmanager → its settings, or an error for what has no meaning where alerts are levels. Pure. */
import { type HttpReceiverSettings, type ReceiverEntry, wrong } from './receiver-entry.ts';

/** Rounds that may fail in a row before an Alertmanager takes what is there for resolved. */
const roundsBeforeResolvedMin = 10;
/** Members of a cluster of Alertmanagers, each of which is posted to. */
const urlsMax = 16;

/**
 * Alerts are levels: what is active is posted again and again, and who is told when, how often and in what groups is Alertmanager's to say.
 * `digest` and `quiet_hours` are here whether or not another type has them.
 */
const withoutMeaning: readonly string[] = [
  ...['cooldown', 'cluster_cap', 'digest', 'quiet_hours'],
  ...['format', 'signing_key', 'signing_key_old'],
];

export interface AlertmanagerSettings extends HttpReceiverSettings {
  readonly name: string;
  readonly type: 'alertmanager';
  readonly intervalMs: number;
  readonly resolveAfterMs: number;
  /** What ends is posted with its end; otherwise it is only posted no more. */
  readonly endsAlerts: boolean;
}

/** `http`: how it is reached; `url` holds one or several addresses. Throws `CONFIG_INVALID`. */
export function alertmanagerSettings(entry: ReceiverEntry, http: () => HttpReceiverSettings): AlertmanagerSettings {
  const { name, given, interval, resolve_after: resolveAfter, send_resolved: sendResolved } = entry;
  const meaningless = given.find((key) => withoutMeaning.includes(key.replace(/_file$/, '')));
  if (meaningless !== undefined)
    throw wrong(
      entry,
      meaningless,
      'has no effect with the type alertmanager, which is posted everything that is active',
      'leave it out: grouping, repetition and muting are set in Alertmanager',
    );
  if (resolveAfter < roundsBeforeResolvedMin * interval)
    throw wrong(
      entry,
      'resolve_after',
      `is shorter than ${roundsBeforeResolvedMin} intervals`,
      'make it longer, or interval shorter: otherwise a restart of ours would resolve everything',
    );
  const endsAlerts = !given.includes('send_resolved') || sendResolved;
  return { name, type: 'alertmanager', intervalMs: interval, resolveAfterMs: resolveAfter, endsAlerts, ...http() };
}

/** The addresses of a setting that holds several, with blanks, commas or new lines between. */
export function addressesOf(text: string): readonly string[] {
  const addresses = text.split(/[\s,]+/).filter((one) => one !== '');
  return [...new Set(addresses)].slice(0, urlsMax + 1);
}

/** Undefined: so many may be. */
export function addressesFault(addresses: readonly string[]) {
  if (addresses.length === 0) return { message: 'is no address', hint: 'write https://host/path' };
  if (addresses.length <= urlsMax) return undefined;
  return { message: `holds more than ${urlsMax} addresses`, hint: 'name the members of one Alertmanager cluster' };
}

/** Of an address under which an Alertmanager answers, with the path that its `--web.external-url` has. */
export function alertmanagerApi(address: string, path: string): string {
  const url = new URL(address);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/api/v2/${path}`;
  url.search = '';
  url.hash = '';
  return url.href;
}
