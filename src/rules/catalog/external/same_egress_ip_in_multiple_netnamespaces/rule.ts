/** An egress IP of OpenShift SDN is claimed by several namespaces. Source: data-pipeline.md 7.5 (31). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { namesByEgressIp } from '../../egress-ips.ts';

export const sameEgressIpInMultipleNetnamespaces = defineRule({
  module: 'ccx_rules_ocp.external.rules.same_egress_ip_in_multiple_netnamespaces',
  errorKeys: ['SAME_EGRESS_IP_IN_MULTIPLE_NETNAMESPACES'],
  requires: ['netNamespaces'],
  evaluate({ netNamespaces }) {
    const shared = [...namesByEgressIp(netNamespaces)]
      .filter(([, netnamespaces]) => netnamespaces.length > 1)
      .map(([ip, netnamespaces]) => ({ ip, netnamespaces }));
    return shared.length === 0
      ? makeNone()
      : makeFail('SAME_EGRESS_IP_IN_MULTIPLE_NETNAMESPACES', { egress_ips: shared });
  },
});
