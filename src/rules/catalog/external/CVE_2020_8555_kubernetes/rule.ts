/** The release has CVE-2020-8555, a request forgery in the controller manager. Source: data-pipeline.md 7.5 (43); versions: affected-versions.yaml. */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { isAffected } from '../../affected-versions.ts';

export const cve20208555Kubernetes = defineRule({
  module: 'ccx_rules_ocp.external.security.CVE_2020_8555_kubernetes',
  errorKeys: ['CVE_2020_8555_KUBERNETES'],
  requires: ['clusterVersion'],
  links: { cve: ['https://access.redhat.com/security/cve/CVE-2020-8555'] },
  evaluate({ clusterVersion: { parsed, current, isOkd } }, { settings }) {
    // Releases of OKD have no patch number that would tell.
    if (isOkd || !isAffected('CVE_2020_8555_kubernetes', parsed, settings)) return makeNone();
    return makeFail('CVE_2020_8555_KUBERNETES', { version: current });
  },
});
