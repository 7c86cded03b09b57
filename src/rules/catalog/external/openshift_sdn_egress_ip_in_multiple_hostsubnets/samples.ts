/** Clusters with OpenShift SDN whose nodes share an egress IP and do not. */
import type { JsonValue } from '../../../../encoding/json-text.ts';
import { chain, type Edit, type RuleSamples, withFile } from '../../sample.ts';
import { openshiftSdnEgressIpInMultipleHostsubnets } from './rule.ts';

const subnet = (host: string, egressIPs: JsonValue, egressCIDRs: JsonValue = []): Edit =>
  withFile(`config/hostsubnet/${host}.json`, {
    metadata: { name: host },
    host,
    hostIP: '10.0.0.9',
    subnet: '10.129.0.0/23',
    egressIPs,
    egressCIDRs,
  });

export const samples: RuleSamples = {
  rule: openshiftSdnEgressIpInMultipleHostsubnets,
  fires: {
    OPENSHIFT_SDN_EGRESS_IP_IN_MULTIPLE_HOSTSUBNETS: [
      {
        title: 'an address of two nodes',
        edit: chain(subnet('worker-b', ['10.0.0.220']), subnet('worker-a', ['10.0.0.221', '10.0.0.220'])),
        details: { egress_ips: [{ ip: '10.0.0.220', hostsubnets: ['worker-a', 'worker-b'] }] },
      },
      {
        title: 'a node that is told by its name alone',
        edit: chain(
          subnet('worker-a', ['10.0.0.220']),
          withFile('config/hostsubnet/b.json', { metadata: { name: 'b' }, host: ['x'], egressIPs: ['10.0.0.220'] }),
        ),
        details: { egress_ips: [{ ip: '10.0.0.220', hostsubnets: ['b', 'worker-a'] }] },
      },
    ],
  },
  silent: [
    { title: 'an address for each node', edit: chain(subnet('a', ['10.0.0.220']), subnet('b', ['10.0.0.221'])) },
    { title: 'an address that one node names twice', edit: subnet('a', ['10.0.0.220', '10.0.0.220']) },
    {
      title: 'a network that two nodes may host',
      edit: chain(subnet('a', ['10.0.0.220'], ['10.0.0.0/24']), subnet('b', [], ['10.0.0.0/24'])),
    },
    {
      title: 'what is no list of addresses',
      edit: chain(subnet('a', '10.0.0.220'), subnet('b', '10.0.0.220'), subnet('c', [7, null]), subnet('d', [7, null])),
    },
  ],
};
