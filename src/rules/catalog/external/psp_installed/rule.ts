/** Pod security policies exist, which OpenShift never supported and Kubernetes has removed. Source: data-pipeline.md 7.5 (19). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

export const pspInstalled = defineRule({
  module: 'ccx_rules_ocp.external.rules.psp_installed',
  errorKeys: ['PSP_INSTALLED'],
  requires: ['podSecurityPolicies'],
  links: {
    kcs: ['https://access.redhat.com/solutions/5622051'],
    jira: ['https://issues.redhat.com/browse/INSIGHTOCP-433'],
  },
  evaluate({ podSecurityPolicies }) {
    if (podSecurityPolicies.length === 0) return makeNone();
    return makeFail('PSP_INSTALLED', { psps: podSecurityPolicies });
  },
});
