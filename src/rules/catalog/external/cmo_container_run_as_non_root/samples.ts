/** Clusters whose monitoring operator runs, is refused and fails otherwise. */
import type { JsonValue } from '../../../../encoding/json-text.ts';
import { chain, type Edit, type RuleSamples, withFile, withValue } from '../../sample.ts';
import { cmoContainerRunAsNonRoot } from './rule.ts';

/** When release 4.6 was supported. */
const now = '2022-01-15T12:00:00Z';
const name = 'cluster-monitoring-operator-6c785d75f6-t79zv';
const message = 'container has runAsNonRoot and image will run as root';
const pod = (containerStatuses: JsonValue, podName = name): Edit =>
  withFile(`config/pod/openshift-monitoring/${podName}.json`, {
    metadata: { name: podName },
    status: { containerStatuses },
  });
const waiting = (reason: JsonValue, text: JsonValue): JsonValue => ({
  name: 'cluster-monitoring-operator',
  state: { waiting: { reason, message: text } },
});
const refused = waiting('CreateContainerConfigError', `${message} (pod: "${name}")`);
const installed = (version: string): Edit =>
  withValue('config/version.json', ['status', 'history'], [{ state: 'Completed', version }]);

export const samples: RuleSamples = {
  rule: cmoContainerRunAsNonRoot,
  fires: {
    CMO_CONTAINER_RUN_AS_NON_ROOT: [
      {
        title: 'a container that may not run as root',
        edit: chain(installed('4.6.40'), pod([{ name: 'kube-rbac-proxy', state: { running: {} } }, refused])),
        now,
        settles: ['release'],
        details: {
          version: '4.6.40',
          containers: [{ name, container: 'cluster-monitoring-operator', message: `${message} (pod: "${name}")` }],
        },
      },
      {
        title: 'the first of the releases, and a message that is far too long',
        edit: chain(
          installed('4.6.0'),
          pod([waiting('CreateContainerConfigError', `${message} ${'x'.repeat(50_000)}`)]),
        ),
        now,
      },
    ],
  },
  silent: [
    { title: 'an operator that runs', edit: installed('4.6.40'), now },
    { title: 'the same in the release before', edit: chain(installed('4.5.41'), pod([refused])), now },
    { title: 'the same in the release after', edit: chain(installed('4.7.1'), pod([refused])), now },
    {
      title: 'a container that waits for something else',
      edit: chain(
        installed('4.6.40'),
        pod([waiting('ImagePullBackOff', message), waiting('CreateContainerConfigError', 'no secret')]),
      ),
      now,
    },
    {
      title: 'another pod of monitoring',
      edit: chain(installed('4.6.40'), pod([refused], 'prometheus-k8s-0')),
      now,
    },
    {
      title: 'statuses that are none',
      edit: chain(
        installed('4.6.40'),
        pod([null, 'x', waiting(7, message), waiting('CreateContainerConfigError', [message]), { state: refused }]),
      ),
      now,
    },
  ],
};
