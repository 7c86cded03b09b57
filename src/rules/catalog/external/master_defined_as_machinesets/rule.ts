/** A machine set makes control plane machines. Source: data-pipeline.md 7.5 (11). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

export const masterDefinedAsMachinesets = defineRule({
  module: 'ccx_rules_ocp.external.rules.master_defined_as_machinesets',
  errorKeys: ['MASTER_DEFINED_AS_MACHINESETS'],
  requires: ['machineSets'],
  links: {
    jira: ['https://issues.redhat.com/browse/INSIGHTOCP-89'],
    kcs: ['https://access.redhat.com/solutions/5238591'],
  },
  evaluate({ machineSets }) {
    const result = machineSets.filter(({ role }) => role === 'master').map(({ name }) => name);
    return result.length === 0 ? makeNone() : makeFail('MASTER_DEFINED_AS_MACHINESETS', { result });
  },
});
