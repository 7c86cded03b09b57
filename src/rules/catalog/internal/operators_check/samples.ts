/** Clusters with operators in and out of order. */
import { chain, type Edit, type RuleSamples, withCondition, withFile, withValue } from '../../sample.ts';
import { operatorsCheck } from './rule.ts';

const since = '2026-11-20T22:20:58Z';
const condition = (operator: string, type: string, status: string, reason = '', message = ''): Edit =>
  withCondition(`config/clusteroperator/${operator}.json`, {
    type,
    status,
    lastTransitionTime: since,
    reason,
    message,
  });
const degraded = condition(
  'ingress',
  'Degraded',
  'True',
  'IngressDegraded',
  'The default ingress controller is degraded: 1/2 replicas are available',
);

/** A condition as details tell it. */
const told = (status: boolean | null, reason = '', message = '', time: string | null = since) => {
  return { status, last_trans_time: time, reason, message };
};

export const samples: RuleSamples = {
  rule: operatorsCheck,
  fires: {
    OPERATOR_ISSUE: [
      { title: 'a degraded operator', edit: degraded },
      {
        title: 'an operator that is neither available nor well, with everything that it says',
        edit: withFile('config/clusteroperator/etcd.json', {
          metadata: { name: 'etcd' },
          status: {
            conditions: [
              {
                type: 'Available',
                status: 'False',
                lastTransitionTime: since,
                reason: 'NoQuorum',
                message: 'Quorum is lost',
              },
              {
                type: 'Degraded',
                status: 'True',
                lastTransitionTime: since,
                reason: 'MembersDown',
                message: '2 of 3 are down',
              },
              { type: 'Progressing', status: 'Unknown', lastTransitionTime: since },
            ],
            versions: [
              { name: 'raw-internal', version: '1' },
              { name: 'operator', version: '4.20.3' },
            ],
          },
        }),
        details: {
          operators: [
            {
              operator: {
                name: 'etcd',
                version: '4.20.3',
                available: told(false, 'NoQuorum', 'Quorum is lost'),
                degraded: told(true, 'MembersDown', '2 of 3 are down'),
                progressing: told(null),
                upgradeable: told(null, '', '', null),
              },
              issues: [
                ['not available', 'NoQuorum', 'Quorum is lost'],
                ['degraded', 'MembersDown', '2 of 3 are down'],
              ],
            },
          ],
        },
      },
      { title: 'an operator whose availability is unknown', edit: condition('dns', 'Available', 'Unknown') },
      {
        title: 'an operator that reports nothing yet',
        edit: withValue('config/clusteroperator/dns.json', ['status', 'conditions'], []),
      },
      { title: 'two operators', edit: chain(degraded, condition('dns', 'Degraded', 'True')) },
    ],
  },
  silent: [
    { title: 'operators that are well', edit: (files) => files },
    { title: 'an operator that is updating', edit: condition('network', 'Progressing', 'True', 'Deploying') },
    { title: 'an operator that cannot be upgraded', edit: condition('etcd', 'Upgradeable', 'False') },
    {
      title: 'a file that is no operator',
      edit: withFile('config/clusteroperator/odd.json', { metadata: { name: 'odd' } }),
    },
  ],
};
