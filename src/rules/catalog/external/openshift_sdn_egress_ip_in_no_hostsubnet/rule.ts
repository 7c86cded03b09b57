/** A namespace has an egress IP that no node hosts or may host. Source: data-pipeline.md 7.5 (32). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { namesByEgressIp } from '../../egress-ips.ts';

export const openshiftSdnEgressIpInNoHostsubnet = defineRule({
  module: 'ccx_rules_ocp.external.rules.openshift_sdn_egress_ip_in_no_hostsubnet',
  errorKeys: ['OPENSHIFT_SDN_EGRESS_IP_IN_NO_HOSTSUBNET'],
  requires: ['netNamespaces', 'hostSubnets'],
  // A node that cannot be read may be the one that hosts the address.
  requiresWhole: ['hostSubnets'],
  evaluate({ netNamespaces, hostSubnets }) {
    const hosted = new Set(hostSubnets.flatMap(({ egressIps }) => egressIps));
    const isInNetwork = networksOf(hostSubnets.flatMap(({ egressCidrs }) => egressCidrs));
    const homeless = [...namesByEgressIp(netNamespaces)]
      .filter(([ip]) => !hosted.has(ip) && !isInNetwork(ip))
      .map(([ip, netnamespaces]) => ({ ip, netnamespaces }));
    return homeless.length === 0
      ? makeNone()
      : makeFail('OPENSHIFT_SDN_EGRESS_IP_IN_NO_HOSTSUBNET', { egress_ips: homeless });
  },
});

/** Whether an address is in one of these networks: one look-up for each length of prefix, however many networks there are. */
function networksOf(cidrs: readonly string[]): (ip: string) => boolean {
  const networks = new Map<number, Set<number>>();
  for (const cidr of cidrs) {
    const [address, length] = cidr.split('/');
    const prefix = Number(length);
    const known = networks.get(prefix) ?? new Set();
    networks.set(prefix, known.add(networkOf(numberOf(address!), prefix)));
  }
  return (ip) => [...networks].some(([prefix, known]) => known.has(networkOf(numberOf(ip), prefix)));
}

function numberOf(address: string): number {
  return address.split('.').reduce((number, octet) => number * 256 + Number(octet), 0);
}

function networkOf(address: number, prefix: number): number {
  return Math.floor(address / 2 ** (32 - prefix));
}
