/** Clusters with OpenShift SDN whose namespaces have egress IPs that nodes host, may host or do not. */
import type { JsonValue } from '../../../../encoding/json-text.ts';
import { chain, type Edit, type RuleSamples, withElements, withFile, withoutFiles } from '../../sample.ts';
import { openshiftSdnEgressIpInNoHostsubnet } from './rule.ts';

const namespaces = (ips: Readonly<Record<string, JsonValue>>): Edit =>
  withFile(
    'config/netnamespaces.json',
    Object.entries(ips).map(([name, egressIPs], index) => ({ name, egressIPs, netID: index })),
  );
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
  rule: openshiftSdnEgressIpInNoHostsubnet,
  fires: {
    OPENSHIFT_SDN_EGRESS_IP_IN_NO_HOSTSUBNET: [
      {
        title: 'an address that no node hosts',
        edit: withElements('config/netnamespaces.json', [], { name: 'payments', egressIPs: ['10.0.0.210'], netID: 99 }),
        details: { egress_ips: [{ ip: '10.0.0.210', netnamespaces: ['payments'] }] },
      },
      {
        title: 'addresses beside the networks that nodes may host, and beside what they host',
        edit: chain(
          namespaces({ a: ['192.0.2.64', '192.0.2.127', '192.0.2.128'], b: ['198.51.100.7', '192.0.2.128'] }),
          subnet('worker-0', ['198.51.100.8'], ['192.0.2.64/26']),
        ),
        details: {
          egress_ips: [
            { ip: '192.0.2.128', netnamespaces: ['a', 'b'] },
            { ip: '198.51.100.7', netnamespaces: ['b'] },
          ],
        },
      },
      {
        title: 'nodes whose networks are none',
        edit: chain(
          namespaces({ a: ['192.0.2.1'] }),
          subnet('worker-0', null, ['192.0.2.0/33', '192.0.2.0', '192.0.2/24', 24, null, '::/0']),
          subnet('worker-1', '192.0.2.1', '192.0.2.0/24'),
        ),
        details: { egress_ips: [{ ip: '192.0.2.1', netnamespaces: ['a'] }] },
      },
    ],
  },
  silent: [
    { title: 'namespaces without egress IPs', edit: namespaces({ default: null, shop: [] }) },
    {
      title: 'an address that a node hosts',
      edit: chain(namespaces({ a: ['192.0.2.1'] }), subnet('worker-0', ['192.0.2.9', '192.0.2.1'])),
    },
    {
      title: 'addresses in a network that a node may host, from the first to the last',
      edit: chain(namespaces({ a: ['192.0.2.64', '192.0.2.127'] }), subnet('worker-0', [], ['192.0.2.65/26'])),
    },
    {
      title: 'any address where a node may host all',
      edit: chain(namespaces({ a: ['255.255.255.255', '0.0.0.0'] }), subnet('worker-0', [], ['0.0.0.0/0'])),
    },
    {
      title: 'an address that is a network of its own',
      edit: chain(namespaces({ a: ['192.0.2.64'] }), subnet('worker-0', [], ['192.0.2.64/32'])),
    },
    {
      title: 'a node that is told only by its name',
      edit: chain(
        withoutFiles('config/hostsubnet'),
        withFile('config/hostsubnet/w.json', { metadata: { name: 'w' }, host: 7, egressIPs: ['10.0.0.200'] }),
      ),
    },
  ],
};
