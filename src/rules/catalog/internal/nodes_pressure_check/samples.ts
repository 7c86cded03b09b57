/** Clusters whose nodes have enough of everything, or run short. */
import { sampleNode } from '../../healthy-cluster.ts';
import { chain, type Edit, type RuleSamples, withCondition, withFile, withValue } from '../../sample.ts';
import { nodesPressureCheck } from './rule.ts';

const since = '2026-11-20T22:20:58Z';
const path = (name: string) => `config/node/${name}.json`;
const node = (name: string, status: string, ...types: readonly string[]): Edit =>
  chain(
    withFile(path(name), sampleNode(name, ['worker'], since)),
    ...types.map((type) => withCondition(path(name), { type, status, lastTransitionTime: since })),
  );

export const samples: RuleSamples = {
  rule: nodesPressureCheck,
  fires: {
    NODES_PRESSURE: [
      {
        title: 'a node whose disk is full',
        edit: node('full.example.internal', 'True', 'DiskPressure'),
        details: {
          nodes: [{ name: 'full.example.internal', roles: 'worker', pressures: [{ type: 'DiskPressure', since }] }],
        },
      },
      {
        title: 'everything that is short, in order of name, and without a time',
        edit: chain(
          node('b', 'True', 'PIDPressure', 'MemoryPressure'),
          node('a', 'True'),
          withValue(
            path('a'),
            ['status', 'conditions'],
            [
              { type: 'Ready', status: 'True' },
              { type: 'MemoryPressure', status: 'True' },
            ],
          ),
        ),
        details: {
          nodes: [
            { name: 'a', roles: 'worker', pressures: [{ type: 'MemoryPressure', since: null }] },
            {
              name: 'b',
              roles: 'worker',
              pressures: [
                { type: 'MemoryPressure', since },
                { type: 'PIDPressure', since },
              ],
            },
          ],
        },
      },
    ],
  },
  silent: [
    { title: 'nodes that say nothing of it', edit: (files) => files },
    { title: 'a node that has enough', edit: node('a', 'False', 'DiskPressure', 'MemoryPressure', 'PIDPressure') },
    { title: 'a node of which it is not known', edit: node('a', 'Unknown', 'DiskPressure') },
    {
      title: 'conditions that are none',
      edit: chain(
        node('a', 'True'),
        withValue(path('a'), ['status', 'conditions'], [{ type: ['DiskPressure'], status: 'True' }, 'DiskPressure']),
      ),
    },
  ],
};
