/** An operator's resource, or a component that the version operator manages, is set to Unmanaged. Source: data-pipeline.md 7.5 (9). */
import type { UnmanagedResource } from '../../../engine/facts/operators.ts';
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

/** Cluster operators whose resource has another name, by `group/kind` or kind. */
const operatorNames: Readonly<Record<string, string>> = {
  cloudcredential: 'cloud-credential',
  clustercsidriver: 'storage',
  csisnapshotcontroller: 'csi-snapshot-controller',
  'imageregistry.operator.openshift.io/config': 'image-registry',
  ingresscontroller: 'ingress',
  insightsoperator: 'insights',
  kubeapiserver: 'kube-apiserver',
  kubecontrollermanager: 'kube-controller-manager',
  kubescheduler: 'kube-scheduler',
  kubestorageversionmigrator: 'kube-storage-version-migrator',
  openshiftapiserver: 'openshift-apiserver',
  openshiftcontrollermanager: 'openshift-controller-manager',
  'operator.openshift.io/config': 'config-operator',
  'samples.operator.openshift.io/config': 'openshift-samples',
  serviceca: 'service-ca',
};

export const operatorUnmanaged = defineRule({
  module: 'ccx_rules_ocp.external.rules.operator_unmanaged',
  errorKeys: ['OPERATOR_UNMANAGED'],
  requires: [],
  requiresAny: [['unmanagedResources', 'clusterVersion']],
  links: { jira: ['https://issues.redhat.com/browse/INSIGHTOCP-49'] },
  evaluate({ unmanagedResources = [], clusterVersion }) {
    const unmanaged = [
      ...unmanagedResources.map(operatorName),
      ...(clusterVersion?.overrides ?? []).filter((override) => override.unmanaged).map((override) => override.name),
    ];
    if (unmanaged.length === 0) return makeNone();
    return makeFail('OPERATOR_UNMANAGED', { unmanaged_operators: [...new Set(unmanaged)].sort() });
  },
});

function operatorName(resource: UnmanagedResource): string {
  const names = [`${resource.group}/${resource.kind}`, resource.kind];
  const known = names.find((name) => Object.hasOwn(operatorNames, name));
  return known === undefined ? resource.kind : operatorNames[known]!;
}
