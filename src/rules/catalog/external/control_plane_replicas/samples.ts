/** Clusters with supported and unsupported numbers of control-plane nodes. */
import { field } from '../../../engine/json-access.ts';
import { sampleNode } from '../../healthy-cluster.ts';
import { chain, type Edit, type RuleSamples, withFile, withValue } from '../../sample.ts';
import { controlPlaneReplicas } from './rule.ts';

const infrastructure = 'config/infrastructure.json';

/** The cluster with exactly that many control-plane nodes; its workers stay. */
function replicas(count: number, roles: readonly string[] = ['master']): Edit {
  const names = Array.from({ length: count }, (_, index) => `control-plane-${index}`);
  return chain(
    withoutControlPlane,
    ...names.map((name) => withFile(`config/node/${name}.json`, sampleNode(name, roles, '2026-01-01T00:00:00Z'))),
  );
}

const withoutControlPlane: Edit = (files) =>
  Object.fromEntries(
    Object.entries(files).filter(
      ([path, content]) =>
        !path.startsWith('config/node/') ||
        field(content, 'metadata', 'labels', 'node-role.kubernetes.io/master') === undefined,
    ),
  );

const topology = (value: string) => withValue(infrastructure, ['status', 'controlPlaneTopology'], value);
const platform = (value: string) => withValue(infrastructure, ['status', 'platformStatus', 'type'], value);
const version = (value: string): Edit =>
  chain(
    withValue('config/version.json', ['status', 'desired', 'version'], value),
    withValue('config/version.json', ['status', 'history'], [{ state: 'Completed', version: value }]),
  );

export const samples: RuleSamples = {
  rule: controlPlaneReplicas,
  fires: {
    CONTROL_PLANE_NODE_REPLICAS: [
      { title: 'two control-plane nodes', edit: replicas(2) },
      {
        title: 'one control-plane node where the topology is not told',
        edit: chain(replicas(1), topology(''), version('4.7.16')),
        details: { version: '4.7', replica_count: 1 },
      },
      {
        title: 'five on a cloud platform',
        edit: chain(replicas(5), version('4.18.1')),
        details: { version: '4.18', replica_count: 5 },
      },
      {
        title: 'five on bare metal before that was supported',
        edit: chain(replicas(5), platform('BareMetal'), version('4.16.30')),
        details: { version: '4.16', replica_count: 5 },
      },
      {
        title: 'six on bare metal',
        edit: chain(replicas(6), platform('BareMetal'), version('4.17.0')),
        details: { version: '4.17', replica_count: 6 },
      },
      {
        title: 'two where a single one is planned',
        edit: chain(replicas(2), topology('SingleReplica'), version('4.17.0')),
        details: { version: '4.17', replica_count: 2 },
      },
    ],
  },
  silent: [
    { title: 'three nodes labelled control-plane only', edit: replicas(3, ['control-plane']) },
    { title: 'a single-node cluster', edit: chain(replicas(1, ['master', 'worker']), topology('SingleReplica')) },
    { title: 'a control plane outside the cluster', edit: chain(replicas(0), topology('External')) },
    { title: 'a control plane that the archive does not show', edit: replicas(0) },
    { title: 'two nodes with an arbiter', edit: chain(replicas(2), topology('HighlyAvailableArbiter')) },
    { title: 'two nodes with fencing', edit: chain(replicas(2), topology('DualReplica')) },
    { title: 'four on bare metal', edit: chain(replicas(4), platform('BareMetal'), version('4.17.0-rc.1')) },
  ],
};
