/** Nodes that run another version than the others. Read by the rules about kubelets and about container runtimes. Source: data-pipeline.md 7.5 (2, 3). */

import type { Node } from '../engine/facts/nodes.ts';
import type { Facts, FactsWith } from '../engine/facts.ts';
import { compareVersions, parseVersion } from '../engine/semantic-version.ts';

interface NodeVersion {
  readonly node: Node;
  readonly version: string;
}

/** Facts without which a rollout could be taken for a fault; a broken file among theirs keeps both rules from running. */
export const rolloutFacts = ['versionStatus', 'clusterOperators', 'machineConfigPools'] as const;

/**
 * Whether the platform, or the operating system of all nodes, is being brought to another version. Pools of workers go on when the version
 * operator has come to its end; their nodes are left out one by one.
 */
export function isRollingOut({ versionStatus, clusterOperators = [] }: Facts): boolean {
  return (
    versionStatus?.progressing.status === true ||
    clusterOperators.some(({ name, progressing }) => name === 'machine-config' && progressing.status === true)
  );
}

/** Whether a pool that the node may belong to is being updated. A paused pool stays behind and is no rollout. */
function isBeingUpdated({ labels }: Node, { machineConfigPools = [] }: Facts): boolean {
  return machineConfigPools.some(
    ({ paused, updating, nodeLabels }) =>
      !paused && updating.status === true && nodeLabels.every(([label, value]) => labels[label] === value),
  );
}

/**
 * Those whose version is not the most frequent one; of several that are as frequent the newest counts. Left out are nodes that do not say
 * their version, those of a pool that is being updated, and those with another container runtime than CRI-O: they run Windows, whose
 * versions are counted otherwise.
 */
export function nodesOfOtherVersion(
  facts: FactsWith<'nodes'>,
  versionOf: (node: Node) => string,
): readonly NodeVersion[] {
  const told = facts.nodes
    .filter(({ containerRuntimeVersion }) => /^(?:cri-o:|$)/.test(containerRuntimeVersion))
    .filter((node) => !isBeingUpdated(node, facts))
    .map((node) => ({ node, version: versionOf(node) }))
    .filter(({ version }) => version !== '');
  const counts = new Map<string, number>();
  for (const { version } of told) counts.set(version, (counts.get(version) ?? 0) + 1);
  const [usual] = [...counts].sort(([a, countA], [b, countB]) => countB - countA || compareTexts(b, a))[0] ?? [];
  return told.filter(({ version }) => version !== usual);
}

/** A version of which no order is known is before all that have one. */
function compareTexts(a: string, b: string): number {
  const [left, right] = [parseVersion(a.replace(/^cri-o:\/\//, '')), parseVersion(b.replace(/^cri-o:\/\//, ''))];
  if (left !== undefined && right !== undefined) return compareVersions(left, right) || (a < b ? -1 : 1);
  if (left === undefined && right === undefined) return a < b ? -1 : 1;
  return left === undefined ? -1 : 1;
}
