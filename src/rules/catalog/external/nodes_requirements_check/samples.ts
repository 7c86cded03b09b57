/** Clusters with nodes of all sizes. */
import { sampleNode } from '../../healthy-cluster.ts';
import { chain, type Edit, type RuleSamples, withFile, withValue } from '../../sample.ts';
import { nodesRequirementsCheck } from './rule.ts';

/** One more node of that size; a capacity that is undefined is not reported. */
function node(name: string, roles: readonly string[], capacity: { cpu?: string; memory?: string }): Edit {
  const path = `config/node/${name}.json`;
  return chain(
    withFile(path, sampleNode(name, roles, '2026-01-01T00:00:00Z')),
    withValue(path, ['status', 'capacity'], capacity),
  );
}

export const samples: RuleSamples = {
  rule: nodesRequirementsCheck,
  fires: {
    NODES_MINIMUM_REQUIREMENTS_NOT_MET: [
      {
        title: 'a worker with too little memory',
        edit: node('worker-small', ['worker'], { cpu: '2', memory: '7Gi' }),
        details: {
          nodes: [{ name: 'worker-small', role: 'worker', roles: 'worker', memory: 7.52, memory_req: 8 }],
        },
      },
      {
        title: 'a worker with too few cores',
        edit: node('worker-slow', ['worker'], { cpu: '1999m', memory: '16Gi' }),
        details: { nodes: [{ name: 'worker-slow', role: 'worker', roles: 'worker', cpu: 1, cpu_req: 2 }] },
      },
      {
        title: 'a control-plane node that falls short of both',
        edit: node('master-small', ['control-plane', 'master'], { cpu: '2', memory: '7970000Ki' }),
        details: {
          nodes: [
            { name: 'master-small', role: 'master', roles: 'master', cpu: 2, cpu_req: 4, memory: 8.16, memory_req: 16 },
          ],
        },
      },
      {
        title: 'a node with both roles that is large enough for a worker only',
        edit: node('both', ['master', 'worker'], { cpu: '2', memory: '17Gi' }),
        details: { nodes: [{ name: 'both', role: 'master', roles: 'master,worker', cpu: 2, cpu_req: 4 }] },
      },
      {
        title: 'a node without a role',
        edit: node('bare', [], { cpu: '1', memory: '8Gi' }),
        details: { nodes: [{ name: 'bare', role: 'worker', roles: 'worker', cpu: 1, cpu_req: 2 }] },
      },
    ],
  },
  silent: [
    { title: 'a worker of exactly the minimum', edit: node('exact', ['worker'], { cpu: '2', memory: '8G' }) },
    {
      title: 'a control-plane node of exactly the minimum',
      edit: node('exact', ['master'], { cpu: '4', memory: '16e9' }),
    },
    {
      title: 'an infra node that suffices for a worker',
      edit: node('infra', ['infra'], { cpu: '3500m', memory: '8Gi' }),
    },
    { title: 'a node that does not report its capacity', edit: node('mute', ['worker'], {}) },
    { title: 'a capacity that is no quantity', edit: node('odd', ['worker'], { cpu: 'many', memory: '8 GB' }) },
  ],
};
