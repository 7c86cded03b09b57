/** Which network plug-ins are supported with which release. Read by the rule about unsupported ones. Names are in network-plugins.yaml. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { isAtLeastMinor, type SemanticVersion } from '../engine/semantic-version.ts';

interface Document {
  readonly supported: readonly string[];
  readonly removed: Readonly<Record<string, number>>;
}

const document = parse(readFileSync(new URL('./network-plugins.yaml', import.meta.url), 'utf8')) as Document;
const supported = new Set(document.supported);
const removed = new Map(Object.entries(document.removed));

/** Names are compared without regard to case, as the network operator does. */
export function isSupportedPlugin(networkType: string, version: SemanticVersion): boolean {
  const name = networkType.toLowerCase();
  const removedIn = removed.get(name);
  return removedIn === undefined ? supported.has(name) : !isAtLeastMinor(version, removedIn);
}
