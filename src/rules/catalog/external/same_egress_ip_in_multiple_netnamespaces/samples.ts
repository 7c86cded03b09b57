/** Clusters with OpenShift SDN whose namespaces share an egress IP and do not. */
import type { JsonValue } from '../../../../encoding/json-text.ts';
import { type Edit, type RuleSamples, withElements, withFile } from '../../sample.ts';
import { sameEgressIpInMultipleNetnamespaces } from './rule.ts';

const namespaces = (ips: Readonly<Record<string, JsonValue>>): Edit =>
  withFile(
    'config/netnamespaces.json',
    Object.entries(ips).map(([name, egressIPs], index) => ({ name, egressIPs, netID: index })),
  );

export const samples: RuleSamples = {
  rule: sameEgressIpInMultipleNetnamespaces,
  fires: {
    SAME_EGRESS_IP_IN_MULTIPLE_NETNAMESPACES: [
      {
        title: 'an address of two namespaces',
        edit: withElements('config/netnamespaces.json', [], { name: 'billing', egressIPs: ['10.0.0.200'], netID: 9 }),
        details: { egress_ips: [{ ip: '10.0.0.200', netnamespaces: ['billing', 'shop'] }] },
      },
      {
        title: 'two such addresses among others',
        edit: namespaces({
          a: ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
          b: ['192.0.2.2'],
          c: ['192.0.2.2', '192.0.2.1'],
          d: ['192.0.2.9'],
        }),
        details: {
          egress_ips: [
            { ip: '192.0.2.1', netnamespaces: ['a', 'c'] },
            { ip: '192.0.2.2', netnamespaces: ['a', 'b', 'c'] },
          ],
        },
      },
    ],
  },
  silent: [
    { title: 'namespaces without egress IPs', edit: namespaces({ default: null, shop: [] }) },
    { title: 'an address for each', edit: namespaces({ shop: ['10.0.0.200'], billing: ['10.0.0.201'] }) },
    { title: 'an address that one namespace names twice', edit: namespaces({ shop: ['10.0.0.200', '10.0.0.200'] }) },
    {
      title: 'entries that are no addresses',
      edit: namespaces({
        a: ['10.0.0.256', '', null, 7, ['10.0.0.1'], '::1', '10.0.0.1\n'],
        b: ['10.0.0.256', '', null, 7, ['10.0.0.1'], '::1', '10.0.0.1\n'],
        c: '10.0.0.1',
        d: { 0: '10.0.0.1' },
      }),
    },
    {
      title: 'entries that are no namespaces',
      edit: withFile('config/netnamespaces.json', [
        null,
        1,
        { egressIPs: ['10.0.0.1'] },
        { name: '', egressIPs: ['10.0.0.1'] },
        { name: 5, egressIPs: ['10.0.0.1'] },
      ]),
    },
  ],
};
