/** Machine objects on a cluster whose machines its owner made: nothing will ever run them. Source: data-pipeline.md 7.4, 7.5 (22). */
import { PLATFORM_VSPHERE } from '../../../engine/facts/platform.ts';
import type { FactsWith } from '../../../engine/facts.ts';
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

export const vsphereUpiMachineIsInPhase = defineRule({
  module: 'ccx_rules_ocp.external.rules.vsphere_upi_machine_is_in_phase',
  errorKeys: ['VSPHERE_UPI_MACHINE_WITH_NO_RUNNING_PHASE'],
  requires: ['infrastructure', 'vsphereMachines'],
  // What cannot be read may be what shows that the installer made the machines.
  requiresWhole: ['nodes', 'vsphereMachines'],
  evaluate(facts) {
    if (facts.infrastructure.platform !== PLATFORM_VSPHERE || !isUserProvisioned(facts)) return makeNone();
    const idle = facts.vsphereMachines.filter(({ phase }) => phase !== 'Running');
    if (idle.length === 0) return makeNone();
    return makeFail('VSPHERE_UPI_MACHINE_WITH_NO_RUNNING_PHASE', {
      machines: idle.map(({ name, phase }) => ({ name, phase })),
    });
  },
});

/** On a cluster whose machines the installer made, some of them run and nodes name the machine that stands behind them. */
function isUserProvisioned({ vsphereMachines, nodes }: FactsWith<'vsphereMachines'>): boolean {
  const hasRunning = vsphereMachines.some(({ phase }) => phase === 'Running' || phase === 'Provisioned');
  return !hasRunning || (nodes !== undefined && !nodes.some(({ hasMachine }) => hasMachine));
}
