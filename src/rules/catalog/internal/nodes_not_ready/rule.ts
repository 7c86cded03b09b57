/** A node is not ready. Source: data-pipeline.md 7.3, 7.5 (generic checks); the error key is ours. */
import { cutText, defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

/** So that a hundred nodes fit into the details. */
const messageCharactersMax = 300;

export const nodesNotReady = defineRule({
  module: 'ccx_rules_ocp.internal.rules.nodes_not_ready',
  errorKeys: ['NODES_NOT_READY'],
  requires: ['nodes'],
  evaluate({ nodes }) {
    const notReady = nodes.filter(({ ready }) => ready.status !== true);
    if (notReady.length === 0) return makeNone();
    return makeFail('NODES_NOT_READY', {
      nodes: notReady.map(({ name, roles, ready }) => ({
        name,
        ready: ready.status,
        roles: roles.join(','),
        message: cutText(ready.message || ready.reason, messageCharactersMax),
        since: ready.last_trans_time,
      })),
      not_ready_count: notReady.length,
    });
  },
});
