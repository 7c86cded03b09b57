/** Clusters on vSphere that vCenter lets in, and some that it does not. */
import { chain, type Edit, type RuleSamples, withCondition, withFile, withValue } from '../../sample.ts';
import { vsphereProblemDetectorControllerSyncerror } from './rule.ts';

const vsphere = withValue('config/infrastructure.json', ['status', 'platformStatus', 'type'], 'VSphere');
const container = 'vsphere-problem-detector-operator';
const directory = `namespaces/openshift-cluster-storage-operator/pods/${container}-6d5f`;
const log = (path: string, ...lines: readonly string[]): Edit => withFile(`${directory}/${path}`, lines.join('\n'));
const line = (time: string, cause: string) =>
  `E${time}       1 base_controller.go:272] "VSphereProblemDetectorController" controller failed to sync "key", err: failed to connect to vcenter.example.com: ServerFaultCode: ${cause}`;
const wrongPassword = 'Cannot complete login due to an incorrect user name or password.';
const older = line('1108 08:32:28.480648', wrongPassword);
const newer = line('1108 09:32:28.000001', wrongPassword);
const success =
  'I1108 10:32:28.000001       1 vsphere_check.go:97] Finished running all vSphere specific checks in the cluster';
const condition = (type: string, reason: string, message?: string): Edit =>
  withCondition('config/clusteroperator/storage.json', {
    type,
    status: type === 'Degraded' ? 'True' : 'False',
    reason,
    ...(message === undefined ? {} : { message }),
  });
const current = `${container}/current.log`;

export const samples: RuleSamples = {
  rule: vsphereProblemDetectorControllerSyncerror,
  fires: {
    VSPHERE_PROBLEM_DETECTOR_CONTROLLER_SYNCERROR: [
      {
        title: 'a login that is refused, with the newest line',
        edit: chain(vsphere, log(current, older, newer, 'I1108 09:33:00.000000       1 operator.go:1] waiting')),
        details: { message: newer },
        settles: ['platform'],
      },
      {
        title: 'the newest line of two logs',
        edit: chain(vsphere, log('a/current.log', newer), log('b/current.log', older)),
        details: { message: newer },
      },
      {
        title: 'a login that is refused again after it was let in',
        edit: chain(vsphere, log(current, older, success, line('1108 11:00:00.000000', wrongPassword))),
        details: { message: line('1108 11:00:00.000000', wrongPassword) },
      },
      {
        title: 'what the storage operator says of it',
        edit: chain(vsphere, condition('Upgradeable', 'VSphereProblemDetectorController_SyncError', wrongPassword)),
        details: { message: wrongPassword },
      },
      {
        title: 'one of several reasons, without a message',
        edit: chain(vsphere, condition('Degraded', 'VSphereProblemDetectorController_SyncError::Other_Error')),
        details: { message: 'VSphereProblemDetectorController_SyncError::Other_Error' },
      },
      {
        title: 'a line that is cut to what a message may have',
        edit: chain(vsphere, log(current, `${older}${'x'.repeat(50_000)}`)),
        details: { message: `${older}${'x'.repeat(999 - older.length)}…` },
      },
    ],
  },
  silent: [
    { title: 'a cluster on vSphere that lacks nothing', edit: vsphere },
    { title: 'a cluster of another platform', edit: log(current, older) },
    { title: 'a login that is let in by now', edit: chain(vsphere, log(current, older, success)) },
    {
      title: 'another error of the same controller',
      edit: chain(vsphere, log(current, line('1108 08:32:28.480648', 'context deadline exceeded'))),
    },
    { title: 'the same words of another part', edit: chain(vsphere, log(current, `E1108 ${wrongPassword}`)) },
    { title: 'a log of a container that has ended', edit: chain(vsphere, log(`${container}/previous.log`, older)) },
    { title: 'a storage operator with another complaint', edit: chain(vsphere, condition('Upgradeable', 'Other')) },
    {
      title: 'a reason that is no text',
      edit: chain(
        vsphere,
        withCondition('config/clusteroperator/storage.json', {
          type: 'Upgradeable',
          status: 'False',
          reason: ['VSphereProblemDetectorController_SyncError'],
        }),
      ),
    },
  ],
};
