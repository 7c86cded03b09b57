/** SAP Data Intelligence runs without an observer that prepares the cluster for it. Source: data-pipeline.md 7.5 (25). */
import { SAP_MACHINE_CONFIG } from '../../../engine/facts/machine-configs.ts';
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

export const checkSapSdiObserverPods = defineRule({
  module: 'ccx_rules_ocp.external.rules.check_sap_sdi_observer_pods',
  errorKeys: ['SAP_SDI_OBSERVER_POD_ERROR'],
  requires: ['sapPods', 'machineConfigs'],
  links: { kcs: ['https://access.redhat.com/articles/5100521'] },
  evaluate({ sapPods, machineConfigs }) {
    // Only failing pods are gathered, so an observer that is well shows by what it has made.
    const isMissing = !machineConfigs.includes(SAP_MACHINE_CONFIG);
    if (sapPods.failingObservers.length === 0 && !isMissing) return makeNone();
    return makeFail('SAP_SDI_OBSERVER_POD_ERROR', { sdi_observer_pods: 0, failing: sapPods.failingObservers });
  },
});
