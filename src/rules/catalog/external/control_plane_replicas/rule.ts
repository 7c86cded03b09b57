/** The number of control-plane nodes is one that is not supported. Source: data-pipeline.md 7.5 (13). */

import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { isAtLeastMinor } from '../../../engine/semantic-version.ts';

export const controlPlaneReplicas = defineRule({
  module: 'ccx_rules_ocp.external.rules.control_plane_replicas',
  errorKeys: ['CONTROL_PLANE_NODE_REPLICAS'],
  requires: ['nodes', 'infrastructure', 'clusterVersion'],
  // A node that cannot be read would count as one that is not there.
  requiresWhole: ['nodes'],
  links: {
    jira: ['https://issues.redhat.com/browse/INSIGHTOCP-120'],
    kcs: ['https://access.redhat.com/solutions/4833531'],
  },
  evaluate({ nodes, infrastructure, clusterVersion }) {
    const replicas = nodes.filter((node) => node.roles.includes('master')).length;
    const onBareMetalSince417 = infrastructure.platform === 'BareMetal' && isAtLeastMinor(clusterVersion.parsed, 17);
    if (isSupported(replicas, infrastructure.controlPlaneTopology, onBareMetalSince417)) return makeNone();
    return makeFail('CONTROL_PLANE_NODE_REPLICAS', { version: clusterVersion.branch, replica_count: replicas });
  },
});

function isSupported(replicas: number, topology: string, largeControlPlane: boolean): boolean {
  // Zero means that the control plane is elsewhere, whatever the topology says: a cluster does not run without one.
  if (topology === 'External' || replicas === 0 || replicas === 3) return true;
  if (topology === 'SingleReplica') return replicas === 1;
  if (topology === 'HighlyAvailableArbiter' || topology === 'DualReplica') return replicas === 2;
  return largeControlPlane && (replicas === 4 || replicas === 5);
}
