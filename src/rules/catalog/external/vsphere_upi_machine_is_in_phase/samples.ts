/** Clusters on vSphere with machines of the installer's and of their owner's making. */
import type { JsonValue } from '../../../../encoding/json-text.ts';
import { sampleNode } from '../../healthy-cluster.ts';
import { chain, type Edit, type RuleSamples, withFile, withoutFiles, withValue } from '../../sample.ts';
import { vsphereUpiMachineIsInPhase } from './rule.ts';

const vsphere = withValue('config/infrastructure.json', ['status', 'platformStatus', 'type'], 'VSphere');
const machine = (name: string, status: JsonValue): Edit =>
  withFile(`config/machines/openshift-machine-api/${name}.json`, { metadata: { name }, spec: {}, status });
const phase = (name: string, value: string): Edit => machine(name, { phase: value });
const nodeWithMachine = chain(
  withFile('config/node/extra.json', sampleNode('extra', ['worker'], '2026-11-01T08:00:00Z')),
  withValue('config/node/extra.json', ['metadata', 'annotations'], {
    'machine.openshift.io/machine': 'openshift-machine-api/worker-a',
  }),
);

export const samples: RuleSamples = {
  rule: vsphereUpiMachineIsInPhase,
  fires: {
    VSPHERE_UPI_MACHINE_WITH_NO_RUNNING_PHASE: [
      {
        title: 'machines that nothing provisions',
        edit: chain(vsphere, phase('master-0', 'Provisioning'), machine('master-1', {})),
        details: {
          machines: [
            { name: 'master-0', phase: 'Provisioning' },
            { name: 'master-1', phase: '' },
          ],
        },
        settles: ['platform'],
      },
      {
        title: 'a machine that failed beside one that runs, of which no node knows',
        edit: chain(vsphere, phase('worker-a', 'Running'), phase('worker-b', 'Failed')),
        details: { machines: [{ name: 'worker-b', phase: 'Failed' }] },
      },
      {
        title: 'a phase that is no text',
        edit: chain(vsphere, machine('master-0', { phase: { is: 'Running' } })),
        details: { machines: [{ name: 'master-0', phase: '' }] },
      },
      {
        title: 'machines of a cluster whose nodes cannot be seen',
        edit: chain(vsphere, withoutFiles('config/node'), phase('master-0', 'Provisioning')),
        details: { machines: [{ name: 'master-0', phase: 'Provisioning' }] },
      },
    ],
  },
  silent: [
    { title: 'machines that all run', edit: chain(vsphere, phase('worker-a', 'Running')) },
    {
      title: "a failed machine of the installer's",
      edit: chain(vsphere, nodeWithMachine, phase('worker-a', 'Running'), phase('worker-b', 'Failed')),
    },
  ],
};
