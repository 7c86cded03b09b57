/** A node has less CPU or memory than the documented minimum for its role. Source: data-pipeline.md 7.5 (1). */
import type { Node } from '../../../engine/facts/nodes.ts';
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

/** Decimal gigabytes, as the installation documents count. A node with both roles must fulfil the control plane's. */
const minimum = {
  master: { cpuCores: 4, memoryGb: 16 },
  worker: { cpuCores: 2, memoryGb: 8 },
} as const;

export const nodesRequirementsCheck = defineRule({
  module: 'ccx_rules_ocp.external.rules.nodes_requirements_check',
  errorKeys: ['NODES_MINIMUM_REQUIREMENTS_NOT_MET'],
  requires: ['nodes'],
  links: {
    docs: [
      'https://docs.openshift.com/container-platform/latest/installing/installing_bare_metal/installing-bare-metal.html',
    ],
  },
  evaluate({ nodes }) {
    const below = nodes.flatMap((node) => shortfallOf(node) ?? []);
    return below.length === 0 ? makeNone() : makeFail('NODES_MINIMUM_REQUIREMENTS_NOT_MET', { nodes: below });
  },
});

/** Only the quantities that fall short, with what is required; texts test for their presence. Undefined when nothing does. */
function shortfallOf(node: Node) {
  const role = node.roles.includes('master') ? 'master' : 'worker';
  const required = minimum[role];
  const cpu = node.cpuCores === undefined ? undefined : Math.floor(node.cpuCores);
  const memory = node.memoryBytes === undefined ? undefined : Math.round(node.memoryBytes / 1e7) / 100;
  const cpuShort = cpu !== undefined && cpu < required.cpuCores;
  const memoryShort = memory !== undefined && memory < required.memoryGb;
  if (!cpuShort && !memoryShort) return undefined;
  return {
    name: node.name,
    role,
    roles: node.roles.length === 0 ? role : node.roles.join(','),
    ...(cpuShort ? { cpu, cpu_req: required.cpuCores } : {}),
    ...(memoryShort ? { memory, memory_req: required.memoryGb } : {}),
  };
}
