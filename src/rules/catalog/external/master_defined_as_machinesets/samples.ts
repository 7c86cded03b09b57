/** Clusters whose machine sets make workers only, or control plane machines as well. */
import { machineSet } from '../../healthy-cluster.ts';
import { chain, type Edit, type RuleSamples, withFile, withValue } from '../../sample.ts';
import { masterDefinedAsMachinesets } from './rule.ts';

const path = (name: string, namespace = 'openshift-machine-api') => `machinesets/${namespace}/${name}.json`;
const set = (name: string, role: string): Edit => withFile(path(name), machineSet(name, role));
const labels = (name: string, value: Readonly<Record<string, string>>): Edit =>
  withValue(path(name), ['spec', 'template', 'metadata', 'labels'], value);

export const samples: RuleSamples = {
  rule: masterDefinedAsMachinesets,
  fires: {
    MASTER_DEFINED_AS_MACHINESETS: [
      {
        title: 'a machine set of the control plane',
        edit: set('control-plane-a', 'master'),
        details: { result: ['control-plane-a'] },
      },
      {
        title: 'several, in the order of their files, one by its type alone',
        edit: chain(
          set('b', 'master'),
          set('a', 'worker'),
          labels('a', { 'machine.openshift.io/cluster-api-machine-type': 'master' }),
          withFile(path('z', 'another-namespace'), machineSet('z', 'master')),
        ),
        details: { result: ['z', 'a', 'b'] },
      },
    ],
  },
  silent: [
    { title: 'machine sets of workers', edit: chain(set('a', 'worker'), set('b', 'infra')) },
    { title: 'a machine set that says no role', edit: chain(set('a', 'master'), labels('a', {})) },
    {
      title: 'a role that is no text',
      edit: chain(set('a', 'master'), withValue(path('a'), ['spec', 'template'], ['master'])),
    },
    { title: 'a machine set that is called so', edit: set('master', 'worker') },
  ],
};
