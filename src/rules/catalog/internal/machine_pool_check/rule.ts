/** A machine config pool is degraded, itself, by a node or by its configuration. Source: data-pipeline.md 7.3, 7.5 (generic checks). */
import { defineRule, makeFail, makeNone, messageCharactersMax } from '../../../engine/rule.ts';
import { briefCondition } from '../../brief-conditions.ts';

/** Of the messages of all pools together: each has five. */
const allMessagesCharactersMax = 36_000;

export const machinePoolCheck = defineRule({
  module: 'ccx_rules_ocp.internal.rules.machine_pool_check',
  errorKeys: ['MACHINE_POOL_NOT_OK'],
  requires: ['machineConfigPools'],
  evaluate({ machineConfigPools }) {
    const broken = machineConfigPools.filter((pool) =>
      [pool.degraded, pool.nodeDegraded, pool.renderDegraded].some(({ status }) => status === true),
    );
    if (broken.length === 0) return makeNone();
    const charactersMax = Math.min(messageCharactersMax, Math.floor(allMessagesCharactersMax / (broken.length * 5)));
    return makeFail('MACHINE_POOL_NOT_OK', {
      machines: broken.map(({ name, degraded, nodeDegraded, renderDegraded, updated, updating }) => ({
        name,
        degraded: briefCondition(degraded, charactersMax),
        node_degraded: briefCondition(nodeDegraded, charactersMax),
        render_degraded: briefCondition(renderDegraded, charactersMax),
        updated: briefCondition(updated, charactersMax),
        updating: briefCondition(updating, charactersMax),
      })),
    });
  },
});
