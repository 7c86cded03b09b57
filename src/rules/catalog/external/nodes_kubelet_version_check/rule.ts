/** Nodes run different versions of the kubelet, and none is on its way to another. Source: data-pipeline.md 7.5 (2). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { isRollingOut, nodesOfOtherVersion, rolloutFacts } from '../../node-versions.ts';

const kcs = 'https://access.redhat.com/solutions/4602641';

export const nodesKubeletVersionCheck = defineRule({
  module: 'ccx_rules_ocp.external.rules.nodes_kubelet_version_check',
  errorKeys: ['NODE_KUBELET_VERSION'],
  requires: ['nodes'],
  requiresWhole: ['nodes', ...rolloutFacts],
  links: { kcs: [kcs] },
  evaluate(facts) {
    const others = nodesOfOtherVersion(facts, ({ kubeletVersion }) => kubeletVersion);
    if (others.length === 0 || isRollingOut(facts)) return makeNone();
    return makeFail('NODE_KUBELET_VERSION', {
      nodes_with_different_version: others.map(({ node, version }) => ({
        Node: node.name,
        'Kubelet Version': version,
        role: node.roles.join(','),
      })),
      kcs_link: kcs,
    });
  },
});
