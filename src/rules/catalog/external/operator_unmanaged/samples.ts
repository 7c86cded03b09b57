/** Clusters with operators and components that nobody manages. */
import { chain, type Edit, type RuleSamples, withElements, withFile, withValue } from '../../sample.ts';
import { operatorUnmanaged } from './rule.ts';

const root = 'config/clusteroperator';
const setState = (path: string, state: string): Edit =>
  withValue(`${root}/${path}.json`, ['spec', 'managementState'], state);
const override = (name: string, unmanaged: boolean): Edit =>
  withElements('config/version.json', ['spec', 'overrides'], {
    kind: 'Deployment',
    group: 'apps',
    namespace: 'openshift-monitoring',
    name,
    unmanaged,
  });

export const samples: RuleSamples = {
  rule: operatorUnmanaged,
  fires: {
    OPERATOR_UNMANAGED: [
      {
        title: 'an operator set to Unmanaged',
        edit: setState('operator.openshift.io/authentication/cluster', 'Unmanaged'),
        details: { unmanaged_operators: ['authentication'] },
      },
      {
        title: 'operators by the names that people know, once and in order',
        edit: chain(
          setState('operator.openshift.io/kubescheduler/cluster', 'Unmanaged'),
          setState('operator.openshift.io/kubeapiserver/cluster', 'Unmanaged'),
          setState('imageregistry.operator.openshift.io/config/cluster', 'Unmanaged'),
          setState('samples.operator.openshift.io/config/cluster', 'Unmanaged'),
          setState('operator.openshift.io/ingresscontroller/openshift-ingress-operator/a', 'Unmanaged'),
          setState('operator.openshift.io/ingresscontroller/openshift-ingress-operator/b', 'Unmanaged'),
        ),
        details: {
          unmanaged_operators: ['image-registry', 'ingress', 'kube-apiserver', 'kube-scheduler', 'openshift-samples'],
        },
      },
      {
        title: 'a resource of a kind that it does not know',
        edit: setState('operator.example.com/widget/cluster', 'Unmanaged'),
        details: { unmanaged_operators: ['widget'] },
      },
      {
        title: 'a component that the version operator must leave alone',
        edit: override('cluster-monitoring-operator', true),
        details: { unmanaged_operators: ['cluster-monitoring-operator'] },
      },
    ],
  },
  silent: [
    {
      title: 'operators that are managed or removed',
      edit: setState('samples.operator.openshift.io/config/cluster', 'Removed'),
    },
    { title: 'an override that is not in force', edit: override('cluster-monitoring-operator', false) },
    {
      title: 'a cluster operator of that state, which has no such setting',
      edit: withFile(`${root}/odd.json`, { metadata: { name: 'odd' }, spec: { managementState: 'Unmanaged' } }),
    },
  ],
};
