/** Clusters with and without a proxy, whose authentication operator is well or not. */
import { chain, type Edit, type RuleSamples, withCondition, withValue } from '../../sample.ts';
import { clusterWideProxyAuthCheck } from './rule.ts';

const since = '2026-11-20T22:20:58Z';
const proxy = (value: Readonly<Record<string, string>>, where = 'spec'): Edit =>
  withValue('config/proxy.json', [where], value);
const withProxy = proxy({ httpsProxy: 'http://proxy.example.com:3128' });
const message =
  'WellKnownEndpointDegraded: failed to GET well-known https://api.example.com/.well-known/oauth-authorization-server: Proxy Error';
const degraded = (said: string, status = 'True'): Edit =>
  withCondition('config/clusteroperator/authentication.json', {
    type: 'Degraded',
    status,
    lastTransitionTime: since,
    reason: 'WellKnownEndpointDegradedError',
    message: said,
  });

export const samples: RuleSamples = {
  rule: clusterWideProxyAuthCheck,
  fires: {
    AUTH_OPERATOR_PROXY_ERROR: [
      {
        title: 'an authentication operator that does not get through the proxy',
        edit: chain(withProxy, degraded(message)),
        also: ['OPERATOR_ISSUE'],
      },
      {
        title: 'a proxy that only its status names, and all that the operator says',
        edit: chain(
          proxy({ httpProxy: 'http://proxy.example.com:3128' }, 'status'),
          withValue('config/clusteroperator/authentication.json', ['status'], { conditions: [] }),
          degraded(`Several things: ${message}`),
        ),
        details: {
          op: {
            name: 'authentication',
            version: '',
            available: { status: null, last_trans_time: null, reason: '', message: '' },
            degraded: {
              status: true,
              last_trans_time: since,
              reason: 'WellKnownEndpointDegradedError',
              message: `Several things: ${message}`,
            },
            progressing: { status: null, last_trans_time: null, reason: '', message: '' },
            upgradeable: { status: null, last_trans_time: null, reason: '', message: '' },
          },
          kcs: 'https://access.redhat.com/solutions/4569191',
        },
      },
    ],
  },
  silent: [
    { title: 'a cluster without a proxy whose authentication operator is degraded', edit: degraded(message) },
    { title: 'a proxy and an operator that is well', edit: withProxy },
    { title: 'an operator that was degraded', edit: chain(withProxy, degraded(message, 'False')) },
    {
      title: 'an operator that is degraded for another reason',
      edit: chain(withProxy, degraded('RouteDegraded: no route')),
    },
    {
      title: 'a proxy that is no text',
      edit: chain(withValue('config/proxy.json', ['spec'], { httpProxy: { url: 'x' } }), degraded(message)),
    },
  ],
};
