/** Which network plug-ins are supported with which release. Read by the rule about unsupported ones. Names are in network-plugins.yaml. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { RuleSettings } from '../engine/rule-settings.ts';
import { isAtLeastMinor, type SemanticVersion } from '../engine/semantic-version.ts';

interface Document {
  readonly supported: readonly string[];
  readonly removed: Readonly<Record<string, number>>;
}

const document = parse(readFileSync(new URL('./network-plugins.yaml', import.meta.url), 'utf8')) as Document;
const supported = new Set(document.supported);
const removed = new Map(Object.entries(document.removed));

/** Names are compared without regard to case, as the network operator does. What is set as supported is so with every release. */
export function isSupportedPlugin(
  networkType: string,
  version: SemanticVersion,
  { networkPlugins }: Pick<RuleSettings, 'networkPlugins'>,
): boolean {
  const name = networkType.toLowerCase();
  if (networkPlugins.some((plugin) => plugin.toLowerCase() === name)) return true;
  const removedIn = removed.get(name);
  return removedIn === undefined ? supported.has(name) : !isAtLeastMinor(version, removedIn);
}
