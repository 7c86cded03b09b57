/** A pool waits for nodes that have a taint of the owner's, which keeps the machine config daemon off. Source: data-pipeline.md 7.5 (23). */
import type { Node } from '../../../engine/facts/nodes.ts';
import { textAt } from '../../../engine/json-access.ts';
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

/** Families of taints that the platform sets itself; its own pods tolerate them. */
const platformTaints = /^node(?:-role|\.cloudprovider)?\.kubernetes\.io\//;

/** A cluster has a handful; more are not compared with every node. */
const poolsMax = 100;

export const machineconfigStuckByNodeTaints = defineRule({
  module: 'ccx_rules_ocp.external.rules.machineconfig_stuck_by_node_taints',
  errorKeys: ['NODE_HAS_TAINTS_APPLIED'],
  requires: ['machineConfigPools', 'nodes'],
  evaluate({ machineConfigPools, nodes }) {
    const waiting = machineConfigPools
      .filter(
        ({ updating, readyMachineCount, machineCount }) => updating.status === true && readyMachineCount < machineCount,
      )
      .slice(0, poolsMax);
    const stuck = nodes
      .filter((node) => isPending(node) && taintsOfOwner(node).length > 0)
      .filter((node) => waiting.some(({ nodeLabels }) => hasLabels(node, nodeLabels)));
    if (stuck.length === 0) return makeNone();
    return makeFail('NODE_HAS_TAINTS_APPLIED', {
      nodes: stuck.map((node) => ({ name: node.name, taints: taintsOfOwner(node) })),
    });
  },
});

function isPending({ currentConfig, desiredConfig }: Node): boolean {
  return desiredConfig !== '' && currentConfig !== desiredConfig;
}

/** As `oc` writes them: `key=value:effect`, or `key:effect`. */
function taintsOfOwner({ taints }: Node): string[] {
  return taints
    .filter(({ key, effect }) => !platformTaints.test(key) && (effect === 'NoSchedule' || effect === 'NoExecute'))
    .map(({ key, value, effect }) => (value === '' ? `${key}:${effect}` : `${key}=${value}:${effect}`));
}

function hasLabels(node: Node, labels: readonly (readonly [label: string, value: string])[]): boolean {
  return labels.length > 0 && labels.every(([label, value]) => textAt(node.labels, label) === value);
}
