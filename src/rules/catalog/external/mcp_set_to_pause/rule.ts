/** A machine config pool is paused, so its nodes get no configuration and no certificates any more. Source: data-pipeline.md 7.5 (12). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

export const mcpSetToPause = defineRule({
  module: 'ccx_rules_ocp.external.rules.mcp_set_to_pause',
  errorKeys: ['MCP_SET_TO_PAUSE'],
  requires: ['machineConfigPools'],
  links: {
    jira: ['https://issues.redhat.com/browse/INSIGHTOCP-109', 'https://issues.redhat.com/browse/INSIGHTOCP-396'],
    kcs: ['https://access.redhat.com/solutions/5317441'],
  },
  evaluate({ machineConfigPools }) {
    const paused = machineConfigPools.filter((pool) => pool.paused);
    if (paused.length === 0) return makeNone();
    return makeFail('MCP_SET_TO_PAUSE', { pause: paused.map((pool) => ({ name: pool.name })) });
  },
});
