/** A node runs short of memory, disk space or process ids. Source: data-pipeline.md 7.3, 7.5 (generic checks); the error key is ours. */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

export const nodesPressureCheck = defineRule({
  module: 'ccx_rules_ocp.internal.rules.nodes_pressure_check',
  errorKeys: ['NODES_PRESSURE'],
  requires: ['nodes'],
  evaluate({ nodes }) {
    const short = nodes.filter(({ pressures }) => pressures.length > 0);
    if (short.length === 0) return makeNone();
    return makeFail('NODES_PRESSURE', {
      nodes: short.map(({ name, roles, pressures }) => ({
        name,
        roles: roles.join(','),
        pressures: pressures.map(({ type, condition }) => ({ type, since: condition.last_trans_time })),
      })),
    });
  },
});
