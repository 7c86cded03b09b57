/** Pods of SAP Data Intelligence cannot set up packet filtering, since kernel modules are not loaded. Source: data-pipeline.md 7.5 (26). */
import { SAP_MACHINE_CONFIG } from '../../../engine/facts/machine-configs.ts';
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

export const checkSdiPreloadKernelModules = defineRule({
  module: 'ccx_rules_ocp.external.rules.check_sdi_preload_kernel_modules',
  errorKeys: ['SDI_PRELOAD_KERNEL_MODULES_ERROR'],
  requires: ['sapPods', 'machineConfigs'],
  links: { kcs: ['https://access.redhat.com/articles/5100521'] },
  evaluate({ sapPods, machineConfigs }) {
    // That configuration loads the modules; a log from before it says nothing any more.
    if (sapPods.withoutPacketFilter.length === 0 || machineConfigs.includes(SAP_MACHINE_CONFIG)) return makeNone();
    return makeFail('SDI_PRELOAD_KERNEL_MODULES_ERROR', { pods: [...new Set(sapPods.withoutPacketFilter)] });
  },
});
