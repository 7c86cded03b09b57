/**
 * One entry of `[[receivers]]` as the file gives it, and what every type of receiver asks of it: secrets that are read again, and errors that
 * name the key and the receiver, and show no value.
 */
import { type CcxError, configInvalid } from '../../../encoding/ccx-error.ts';
import type { ListSpec, ListsOf } from '../../../platform/config/options.ts';
import type { SecretRequest } from '../../../platform/secrets/secret-source.ts';
import { receiverOptions } from './receiver-options.ts';

export type ReceiverEntry = ListsOf<{
  readonly name: string;
  readonly envPrefix: string;
  readonly options: Readonly<Record<string, never>>;
  readonly lists: { readonly receivers: typeof receiverOptions };
}>['receivers'][number];

/** How an HTTP receiver is reached. */
export interface HttpReceiverSettings {
  readonly url: SecretRequest;
  readonly authorization:
    | { readonly kind: 'none' }
    | { readonly kind: 'bearer'; readonly token: SecretRequest }
    | { readonly kind: 'basic'; readonly username: string; readonly password: SecretRequest };
  readonly headers: Readonly<Record<string, string>>;
  /** Empty: none. */
  readonly caFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  /** Undefined: straight. */
  readonly proxyUrl: string | undefined;
  readonly timeoutMs: number;
  readonly allowLinkLocal: boolean;
}

type SecretKey = 'url' | 'bearer_token' | 'password' | 'signing_key' | 'signing_key_old';

/** An entry that no file has: with these values, and defaults for all else. */
export function receiverEntry(values: Partial<ReceiverEntry>): ReceiverEntry {
  const options = Object.entries<ListSpec['options'][string]>(receiverOptions.options);
  const defaults = options.flatMap(([key, option]) => [
    [key, option.default],
    ...(option.secret === true ? [[`${key}_file`, '']] : []),
  ]);
  return { ...(Object.fromEntries(defaults) as ReceiverEntry), ...values, given: Object.keys(values) };
}

/** Of keys of another type, which whoever set them believes to be in force. */
export function refuseKeys(entry: ReceiverEntry, keys: readonly (keyof typeof receiverOptions.options)[]): void {
  for (const key of keys) {
    if (!entry.given.includes(key)) continue;
    throw wrong(entry, key, `has no effect with the type ${entry.type}`, 'leave it out');
  }
}

/** Read again while the service runs, where it came from a file or from Vault. */
export function secretOf(entry: ReceiverEntry, key: SecretKey): SecretRequest {
  const file = entry[`${key}_file`];
  const setting = settingName(entry, key);
  return { setting, configured: entry[key], ...(file === '' ? {} : { file }) };
}

export function isInVault(text: string): boolean {
  return text.startsWith('vault:');
}

function settingName({ name }: ReceiverEntry, key: string): string {
  return `${key} of the receiver ${name}`;
}

export function wrong(entry: ReceiverEntry, key: string, message: string, hint: string): CcxError {
  return configInvalid(`${settingName(entry, key)} ${message}`, hint);
}
