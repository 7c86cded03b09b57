/** Nodes run different versions of CRI-O, and none is on its way to another. Source: data-pipeline.md 7.5 (3). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { isRollingOut, nodesOfOtherVersion, rolloutFacts } from '../../node-versions.ts';

export const nodesContainerRuntimeVersionCheck = defineRule({
  module: 'ccx_rules_ocp.external.rules.nodes_container_runtime_version_check',
  errorKeys: ['NODES_CONTAINER_RUNTIME_VERSION'],
  requires: ['nodes'],
  requiresWhole: ['nodes', ...rolloutFacts],
  evaluate(facts) {
    const others = nodesOfOtherVersion(facts, ({ containerRuntimeVersion }) => containerRuntimeVersion);
    if (others.length === 0 || isRollingOut(facts)) return makeNone();
    return makeFail('NODES_CONTAINER_RUNTIME_VERSION', {
      nodes_with_different_version: others.map(({ node, version }) => ({
        Node: node.name,
        'Container Runtime Version': version,
        role: node.roles.join(','),
      })),
    });
  },
});
