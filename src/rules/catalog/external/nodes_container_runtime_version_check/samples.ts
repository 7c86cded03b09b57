/** Clusters whose nodes run the same CRI-O or different ones, for good or on the way. */
import { sampleNode } from '../../healthy-cluster.ts';
import { chain, type Edit, type RuleSamples, withCondition, withFile, withoutFiles, withValue } from '../../sample.ts';
import { nodesContainerRuntimeVersionCheck } from './rule.ts';

const since = '2019-11-20T22:20:58Z';
const info = (path: string, field: string, value: string): Edit =>
  withValue(path, ['status', 'nodeInfo', field], value);
const nodeWith = (name: string, version: string, roles: readonly string[] = ['worker']): Edit => {
  const path = `config/node/${name}.json`;
  return chain(withFile(path, sampleNode(name, roles, since)), info(path, 'containerRuntimeVersion', version));
};
const behind = nodeWith('runtime-behind.example.internal', 'cri-o://1.32.9-2.rhaos4.19.gitb53fa9d.el9', ['infra']);
const behindWorker = nodeWith('runtime-worker.example.internal', 'cri-o://1.32.9-2.rhaos4.19.gitb53fa9d.el9');
const progressing = (path: string, type = 'Progressing'): Edit =>
  withCondition(path, { type, status: 'True', lastTransitionTime: since });

export const samples: RuleSamples = {
  rule: nodesContainerRuntimeVersionCheck,
  fires: {
    NODES_CONTAINER_RUNTIME_VERSION: [
      {
        title: 'a node that stayed behind',
        edit: behind,
        details: {
          nodes_with_different_version: [
            {
              Node: 'runtime-behind.example.internal',
              'Container Runtime Version': 'cri-o://1.32.9-2.rhaos4.19.gitb53fa9d.el9',
              role: 'infra',
            },
          ],
        },
      },
      {
        title: 'as many of each: the newest version is the right one',
        edit: chain(
          withoutFiles('config/node'),
          nodeWith('a', 'cri-o://1.32.9-2.rhaos4.19.gitb53fa9d.el9', ['master', 'worker']),
          nodeWith('b', 'cri-o://1.33.5'),
        ),
        details: {
          nodes_with_different_version: [
            {
              Node: 'a',
              'Container Runtime Version': 'cri-o://1.32.9-2.rhaos4.19.gitb53fa9d.el9',
              role: 'master,worker',
            },
          ],
        },
      },
      {
        title: 'a version that is none beside one that is',
        edit: chain(withoutFiles('config/node'), nodeWith('a', 'cri-o://unknown'), nodeWith('b', 'cri-o://1.33.4')),
        details: {
          nodes_with_different_version: [{ Node: 'a', 'Container Runtime Version': 'cri-o://unknown', role: 'worker' }],
        },
      },
      {
        title: 'a node of a paused pool, which stays behind',
        edit: chain(
          behindWorker,
          progressing('config/machineconfigpools/worker.json', 'Updating'),
          withValue('config/machineconfigpools/worker.json', ['spec', 'paused'], true),
        ),
      },
    ],
  },
  silent: [
    { title: 'nodes of one version', edit: (files) => files },
    { title: 'a cluster that is being updated', edit: chain(behind, progressing('config/version.json')) },
    {
      title: 'an update of the operating system of all nodes',
      edit: chain(behind, progressing('config/clusteroperator/machine-config.json')),
    },
    {
      title: 'a pool that is being updated',
      edit: chain(behindWorker, progressing('config/machineconfigpools/worker.json', 'Updating')),
    },
    { title: 'a node that does not say its version', edit: nodeWith('quiet', '') },
    {
      title: 'a node with Windows',
      edit: chain(
        nodeWith('windows', 'cri-o://1.32.9-2.rhaos4.19.gitb53fa9d.el9'),
        info('config/node/windows.json', 'containerRuntimeVersion', 'containerd://1.7.16'),
      ),
    },
    {
      title: 'a version that is no text',
      edit: chain(
        nodeWith('odd', 'cri-o://1.32.9-2.rhaos4.19.gitb53fa9d.el9'),
        withValue('config/node/odd.json', ['status', 'nodeInfo'], { containerRuntimeVersion: { major: 1 } }),
      ),
    },
  ],
};
