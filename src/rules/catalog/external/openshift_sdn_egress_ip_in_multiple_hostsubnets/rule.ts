/** An egress IP of OpenShift SDN is hosted by several nodes. Source: data-pipeline.md 7.5 (33). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { namesByEgressIp } from '../../egress-ips.ts';

export const openshiftSdnEgressIpInMultipleHostsubnets = defineRule({
  module: 'ccx_rules_ocp.external.rules.openshift_sdn_egress_ip_in_multiple_hostsubnets',
  errorKeys: ['OPENSHIFT_SDN_EGRESS_IP_IN_MULTIPLE_HOSTSUBNETS'],
  requires: ['hostSubnets'],
  evaluate({ hostSubnets }) {
    const shared = [...namesByEgressIp(hostSubnets)]
      .filter(([, hostsubnets]) => hostsubnets.length > 1)
      .map(([ip, hostsubnets]) => ({ ip, hostsubnets }));
    return shared.length === 0
      ? makeNone()
      : makeFail('OPENSHIFT_SDN_EGRESS_IP_IN_MULTIPLE_HOSTSUBNETS', { egress_ips: shared });
  },
});
