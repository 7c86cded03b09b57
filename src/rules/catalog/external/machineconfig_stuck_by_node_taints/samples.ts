/** Clusters whose nodes wait for their configuration, with and without taints of the owner's. */
import type { JsonValue } from '../../../../encoding/json-text.ts';
import { sampleNode } from '../../healthy-cluster.ts';
import { chain, type Edit, type RuleSamples, withCondition, withFile, withValue } from '../../sample.ts';
import { machineconfigStuckByNodeTaints } from './rule.ts';

const since = '2026-11-01T08:00:00Z';
const pool = 'config/machineconfigpools/worker.json';
const updating = (status: string, ready: JsonValue): Edit =>
  chain(
    withCondition(pool, { type: 'Updating', status, lastTransitionTime: since }),
    withValue(pool, ['status', 'machineCount'], 4),
    withValue(pool, ['status', 'readyMachineCount'], ready),
  );
const waiting = updating('True', 3);
const node = (taints: JsonValue, desired = 'rendered-worker-2', role = 'worker'): Edit =>
  chain(
    withFile('config/node/gpu-0.json', sampleNode('gpu-0', [role], since)),
    withValue('config/node/gpu-0.json', ['metadata', 'annotations'], {
      'machineconfiguration.openshift.io/currentConfig': 'rendered-worker-1',
      'machineconfiguration.openshift.io/desiredConfig': desired,
    }),
    withValue('config/node/gpu-0.json', ['spec', 'taints'], taints),
  );
const taint = (key: string, effect = 'NoSchedule') => ({ key, value: 'true', effect });
const details = { nodes: [{ name: 'gpu-0', taints: ['nvidia.com/gpu=true:NoSchedule'] }] };

export const samples: RuleSamples = {
  rule: machineconfigStuckByNodeTaints,
  fires: {
    NODE_HAS_TAINTS_APPLIED: [
      {
        title: 'a node of the pool with a taint of the owner',
        edit: chain(waiting, node([taint('nvidia.com/gpu')])),
        details,
      },
      {
        title: "several taints of which some are the platform's",
        edit: chain(
          waiting,
          node([
            taint('node-role.kubernetes.io/infra'),
            { key: 'dedicated', effect: 'NoExecute' },
            taint('node.kubernetes.io/unreachable', 'NoExecute'),
            taint('soft', 'PreferNoSchedule'),
          ]),
        ),
        details: { nodes: [{ name: 'gpu-0', taints: ['dedicated:NoExecute'] }] },
      },
      {
        title: 'a taint whose key only begins like one of the platform',
        edit: chain(waiting, node([taint('node.kubernetes.io.example.com/x')])),
        details: { nodes: [{ name: 'gpu-0', taints: ['node.kubernetes.io.example.com/x=true:NoSchedule'] }] },
      },
      {
        title: 'a taint beside entries of another shape',
        edit: chain(waiting, node([null, 'x', { key: 7, effect: 'NoSchedule' }, taint('nvidia.com/gpu')])),
        details,
      },
      {
        title: 'a pool that does not say how many nodes are ready',
        edit: chain(updating('True', null), node([taint('nvidia.com/gpu')])),
        details,
      },
    ],
  },
  silent: [
    { title: 'nodes that wait and have no taint', edit: chain(waiting, node([])) },
    {
      title: 'nodes that wait with taints of the platform',
      edit: chain(waiting, node([taint('node.cloudprovider.kubernetes.io/uninitialized')])),
    },
    {
      title: 'a node that has its configuration',
      edit: chain(waiting, node([taint('nvidia.com/gpu')], 'rendered-worker-1')),
    },
    { title: 'a node that is told of no configuration', edit: chain(waiting, node([taint('nvidia.com/gpu')], '')) },
    {
      title: 'a node of another pool',
      edit: chain(waiting, node([taint('nvidia.com/gpu')], 'rendered-infra-2', 'infra')),
    },
    { title: 'a pool that is not updating', edit: chain(updating('False', 3), node([taint('nvidia.com/gpu')])) },
    { title: 'a pool all of whose nodes are ready', edit: chain(updating('True', 4), node([taint('nvidia.com/gpu')])) },
    {
      title: 'a pool that chooses its nodes by expressions',
      edit: chain(
        waiting,
        node([taint('nvidia.com/gpu')]),
        withValue(pool, ['spec', 'nodeSelector'], { matchExpressions: [], matchLabels: { a: 1 } }),
      ),
    },
    {
      title: 'taints that are no list',
      edit: chain(waiting, node({ '0': taint('nvidia.com/gpu') })),
    },
  ],
};
