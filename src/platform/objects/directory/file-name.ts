/**
 * Key ↔ file name. The name is the key where that is letters and digits only; everything else is percent-encoded, so that no two ids
 * collide (the reference drops what is no letter or digit, and an id with dashes overwrites the one without).
 */
import { createHash } from 'node:crypto';
import { INGRESS_PREFIX, OUTBOX_PREFIX } from '../object-store.ts';

/** File systems end at 255 bytes; the ending of the file beside it must fit, too. Longer names are hashed. */
const fileNameBytesMax = 240;

/** The reserved prefixes are folders; every other slash is a character of the name. */
export const folders = [OUTBOX_PREFIX, INGRESS_PREFIX].map((prefix) => prefix.slice(0, -1));

const hashedMark = '%h';

export interface FilePlace {
  /** Empty for the root. */
  readonly folder: string;
  readonly name: string;
  /** True when the key cannot be read back from the name. */
  readonly hashed: boolean;
}

export function placeOfKey(key: string): FilePlace {
  const folder = folders.find((name) => key.startsWith(`${name}/`)) ?? '';
  const rest = folder === '' ? key : key.slice(folder.length + 1);
  const encoded = encodeName(rest);
  // A request id may be called as a folder is.
  const name = folder === '' && folders.includes(encoded) ? percent(encoded[0]!) + encoded.slice(1) : encoded;
  if (name.length <= fileNameBytesMax) return { folder, name, hashed: false };
  return { folder, name: hashedMark + createHash('sha256').update(rest).digest('hex'), hashed: true };
}

/** Undefined for a hashed name, whose key is kept in the file beside it. */
export function keyOfPlace(folder: string, name: string): string | undefined {
  if (name.startsWith(hashedMark)) return undefined;
  const rest = decodeURIComponent(name);
  return folder === '' ? rest : `${folder}/${rest}`;
}

/** Names that this file makes; anything else in the folder is not ours. */
export function isObjectName(name: string): boolean {
  return /^(?:[A-Za-z0-9]|%[0-9A-F]{2})+$/.test(name) || /^%h[0-9a-f]{64}$/.test(name);
}

function encodeName(text: string): string {
  return text.replace(/[^A-Za-z0-9]/gu, percent);
}

function percent(character: string): string {
  return Buffer.from(character, 'utf8').toString('hex').toUpperCase().replace(/../g, '%$&');
}
