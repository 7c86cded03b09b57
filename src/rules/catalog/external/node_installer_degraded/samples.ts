/** Clusters whose static pods are installed, or wait for an installer pod. */
import { chain, type Edit, type RuleSamples, withCondition, withValue } from '../../sample.ts';
import { nodeInstallerDegraded } from './rule.ts';

const since = '2026-11-20T22:20:58Z';
const message =
  'NodeInstallerDegraded: 1 nodes are failing on revision 9: installer: pods "installer-9-master-0" not found';
const degraded = (operator: string, reason = 'NodeInstallerDegradedInstallerPodFailed', status = 'True'): Edit =>
  withCondition(`config/clusteroperator/${operator}.json`, {
    type: 'Degraded',
    status,
    lastTransitionTime: since,
    reason,
    message,
  });
const none = { status: null, last_trans_time: null, reason: '', message: '' };

export const samples: RuleSamples = {
  rule: nodeInstallerDegraded,
  fires: {
    NODE_INSTALLER_DEGRADED: [
      { title: 'an installer pod that is gone', edit: degraded('kube-controller-manager'), also: ['OPERATOR_ISSUE'] },
      {
        title: 'all that the operators say, in order of name',
        edit: chain(
          withValue('config/clusteroperator/kube-scheduler.json', ['status'], { conditions: [] }),
          withValue('config/clusteroperator/kube-apiserver.json', ['status'], { conditions: [] }),
          degraded('kube-scheduler', 'NodeInstaller_InstallerPodFailed::NodeInstallerDegraded'),
          degraded('kube-apiserver'),
        ),
        details: {
          degraded_operators: [
            { name: 'kube-apiserver', reason: 'NodeInstallerDegradedInstallerPodFailed' },
            { name: 'kube-scheduler', reason: 'NodeInstaller_InstallerPodFailed::NodeInstallerDegraded' },
          ].map(({ name, reason }) => ({
            name,
            version: '',
            available: none,
            degraded: { status: true, last_trans_time: since, reason, message },
            progressing: none,
            upgradeable: none,
          })),
        },
      },
    ],
  },
  silent: [
    { title: 'operators that are well', edit: (files) => files },
    { title: 'an operator that was degraded', edit: degraded('kube-apiserver', 'NodeInstallerDegraded', 'False') },
    { title: 'another reason', edit: degraded('kube-apiserver', 'StaticPodsDegraded_Error') },
    { title: 'an operator that has no static pods', edit: degraded('console') },
    {
      title: 'a reason that is no text',
      edit: withValue(
        'config/clusteroperator/kube-apiserver.json',
        ['status', 'conditions'],
        [{ type: 'Degraded', status: 'True', reason: { NodeInstallerDegraded: true } }],
      ),
    },
  ],
};
