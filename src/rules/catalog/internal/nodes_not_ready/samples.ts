/** Clusters whose nodes are ready or not. */
import { sampleNode } from '../../healthy-cluster.ts';
import { chain, type Edit, type RuleSamples, withCondition, withFile, withValue } from '../../sample.ts';
import { nodesNotReady } from './rule.ts';

const since = '2026-11-20T22:20:58Z';
const path = (name: string) => `config/node/${name}.json`;
const node = (name: string, status: string, reason = '', message = '', roles: readonly string[] = ['worker']): Edit =>
  chain(
    withFile(path(name), sampleNode(name, roles, since)),
    withCondition(path(name), { type: 'Ready', status, lastTransitionTime: since, reason, message }),
  );

export const samples: RuleSamples = {
  rule: nodesNotReady,
  fires: {
    NODES_NOT_READY: [
      {
        title: 'a node that no longer reports',
        edit: node('silent.example.internal', 'Unknown', 'NodeStatusUnknown', 'Kubelet stopped posting node status.'),
        details: {
          nodes: [
            {
              name: 'silent.example.internal',
              ready: null,
              roles: 'worker',
              message: 'Kubelet stopped posting node status.',
              since,
            },
          ],
          not_ready_count: 1,
        },
      },
      {
        title: 'several, in order of name, with what there is to say',
        edit: chain(
          node('b', 'False', 'KubeletNotReady', '', ['infra', 'worker']),
          node('a', 'True'),
          withValue(path('a'), ['status', 'conditions'], []),
        ),
        details: {
          nodes: [
            { name: 'a', ready: null, roles: 'worker', message: '', since: null },
            { name: 'b', ready: false, roles: 'infra,worker', message: 'KubeletNotReady', since },
          ],
          not_ready_count: 2,
        },
      },
      {
        title: 'a status that is no text',
        edit: chain(
          node('a', 'True'),
          withValue(path('a'), ['status', 'conditions'], [{ type: 'Ready', status: true }]),
        ),
      },
    ],
  },
  silent: [
    { title: 'nodes that are ready', edit: (files) => files },
    {
      title: 'a node that is ready and takes no pods',
      edit: withValue(path('worker-0.example.internal'), ['spec', 'unschedulable'], true),
    },
  ],
};
