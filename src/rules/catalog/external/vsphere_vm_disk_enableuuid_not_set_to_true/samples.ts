/** Clusters on vSphere whose virtual machines show, and hide, the identifiers of their disks. */
import { alert } from '../../healthy-cluster.ts';
import { chain, type Edit, type RuleSamples, withElements, withFile, withValue } from '../../sample.ts';
import { vsphereVmDiskEnableuuidNotSetToTrue } from './rule.ts';

const platform = (value: string): Edit =>
  withValue('config/infrastructure.json', ['status', 'platformStatus', 'type'], value);
const vsphere = platform('VSphere');
const container = 'vsphere-problem-detector-operator';
const pods = 'namespaces/openshift-cluster-storage-operator/pods';
const current = `${pods}/${container}-6d5f/${container}/current.log`;
const log = (path: string, ...lines: readonly string[]): Edit => withFile(path, `${lines.join('\n')}\n`);
const result = (node: string, what: string) =>
  `I1108 08:32:28.480648       1 vsphere_check.go:271] CheckNodeDiskUUID:${node} ${what}`;
const failed = (node: string) => result(node, 'failed: the node has disk.enableUUID = FALSE');
const healthAlert = (labels: { readonly [label: string]: string }): Edit =>
  withElements(
    'config/alerts.json',
    [],
    alert('VSphereOpenshiftNodeHealthFail', 'warning', '2026-11-01T08:00:00Z', {
      labels: { alertname: 'VSphereOpenshiftNodeHealthFail', severity: 'warning', ...labels },
    }),
  );

export const samples: RuleSamples = {
  rule: vsphereVmDiskEnableuuidNotSetToTrue,
  fires: {
    VSPHERE_VM_DISK_ENABLEUUID_NOT_SET_TO_TRUE: [
      {
        title: 'nodes that the detector complains of, in order and once',
        edit: chain(vsphere, log(current, failed('worker-2'), failed('worker-1'), failed('worker-2'))),
        details: { affected_nodes: ['worker-1', 'worker-2'] },
        settles: ['platform'],
      },
      {
        title: 'a log of unhealthy pods',
        edit: chain(
          vsphere,
          log(
            `config/pod/openshift-cluster-storage-operator/logs/${container}-6d5f/${container}_current.log`,
            failed('worker-1'),
          ),
        ),
        details: { affected_nodes: ['worker-1'] },
      },
      {
        title: 'an alert for the check',
        edit: chain(vsphere, healthAlert({ check: 'CheckNodeDiskUUID', node: 'worker-1' })),
        details: { affected_nodes: ['worker-1'] },
      },
      {
        title: 'an event',
        edit: chain(
          vsphere,
          withFile('events/openshift-cluster-storage-operator.json', {
            items: [{ message: failed('worker-1') }, { message: 7 }, null],
          }),
        ),
        details: { affected_nodes: ['worker-1'] },
      },
      {
        title: 'a node that passed before it failed',
        edit: chain(vsphere, log(current, result('worker-1', 'passed'), failed('worker-1'))),
        details: { affected_nodes: ['worker-1'] },
      },
      {
        title: 'a complaint in a log of which nothing else makes sense',
        edit: chain(
          vsphere,
          withFile(current, `\u0000CheckNodeDiskUUID:\nCheckNodeDiskUUID: failed\n${failed('worker-1')}`),
        ),
        details: { affected_nodes: ['worker-1'] },
      },
    ],
  },
  silent: [
    { title: 'a cluster of another platform', edit: log(current, failed('worker-1')) },
    { title: 'a detector that finds no fault', edit: chain(vsphere, log(current, result('worker-1', 'passed'))) },
    {
      title: 'a node that passed after it failed',
      edit: chain(vsphere, log(current, failed('worker-1'), result('worker-1', 'passed'))),
    },
    {
      title: 'a log of a container that has ended',
      edit: chain(vsphere, log(`${pods}/${container}-6d5f/${container}/previous.log`, failed('worker-1'))),
    },
    {
      title: 'a log of another pod',
      edit: chain(vsphere, log(`${pods}/other-6d5f/x/current.log`, failed('worker-1'))),
    },
    {
      title: 'an alert for another check',
      edit: chain(vsphere, healthAlert({ check: 'CheckNodeProviderID', node: 'worker-1' })),
    },
    { title: 'an alert that names no node', edit: chain(vsphere, healthAlert({ check: 'CheckNodeDiskUUID' })) },
    { title: 'another failed check', edit: chain(vsphere, log(current, 'CheckNodeProviderID:worker-1 failed: x')) },
  ],
};
