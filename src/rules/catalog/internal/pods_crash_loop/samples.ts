/** Clusters with pods that crash, crashed, or have only just begun to. */
import type { JsonObject, JsonValue } from '../../../../encoding/json-text.ts';
import { chain, type Edit, type RuleSamples, withFile, withValue } from '../../sample.ts';
import { podsCrashLoop } from './rule.ts';

const namespace = 'openshift-console';
const long = '2019-11-20T22:20:58Z';
const path = (name: string) => `config/pod/${namespace}/${name}.json`;

const last = { terminated: { reason: 'Error', exitCode: 1 } };
const waiting: JsonObject = {
  name: 'console',
  ready: false,
  restartCount: 3,
  state: { waiting: { reason: 'CrashLoopBackOff' } },
  lastState: last,
};
const running = (restartCount: number, ready: boolean): JsonObject => {
  return { ...waiting, ready, restartCount, state: { running: { startedAt: '2026-11-21T15:59:00Z' } } };
};

interface Given {
  readonly name?: string;
  readonly status?: string;
  readonly since?: JsonValue;
  readonly init?: readonly JsonValue[];
}

const pod = (
  containers: readonly JsonValue[],
  { name = 'console-1', status = 'False', since = long, init = [] }: Given = {},
) =>
  withFile(path(name), {
    metadata: { name, namespace },
    spec: {},
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status, ...(since === null ? {} : { lastTransitionTime: since }) }],
      initContainerStatuses: init,
      containerStatuses: containers,
    },
  });
const told = (since: string) => ({
  namespace,
  name: 'console-1',
  since,
  containers: [{ name: 'console', restarts: 3, reason: 'Error', exit_code: 1 }],
});
const odd: Edit = withValue(
  path('console-1'),
  ['status', 'containerStatuses'],
  [
    'CrashLoopBackOff',
    { ...waiting, name: 7 },
    { ...waiting, state: 'CrashLoopBackOff' },
    { name: 'a', restartCount: '900' },
  ],
);

export const samples: RuleSamples = {
  rule: podsCrashLoop,
  fires: {
    PODS_CRASH_LOOP: [
      { title: 'a container that waits for its next start', edit: pod([waiting]), details: { pods: [told(long)] } },
      {
        title: 'one for exactly two hours',
        edit: pod([waiting], { since: '2026-11-21T14:00:00Z' }),
        details: { pods: [told('2026-11-21T14:00:00Z')] },
      },
      { title: 'a container that was started again six times and is not ready', edit: pod([running(6, false)]) },
      {
        title: 'a container before the others, of which nothing more is told',
        edit: pod(
          [{ name: 'console', ready: false, restartCount: 0, state: { waiting: { reason: 'PodInitializing' } } }],
          {
            init: [
              { name: 'setup', ready: false, restartCount: 40, state: { waiting: { reason: 'CrashLoopBackOff' } } },
            ],
          },
        ),
        details: {
          pods: [
            {
              namespace,
              name: 'console-1',
              since: long,
              containers: [{ name: 'setup', restarts: 40, reason: '', exit_code: null }],
            },
          ],
        },
      },
      { title: 'two pods', edit: chain(pod([waiting]), pod([waiting, running(9, false)], { name: 'console-2' })) },
    ],
  },
  silent: [
    { title: 'a cluster without pods in its archive', edit: (files) => files },
    { title: 'one for a moment less than two hours', edit: pod([waiting], { since: '2026-11-21T14:00:01Z' }) },
    { title: 'one that says no time', edit: pod([waiting], { since: null }) },
    { title: 'one whose time is none', edit: pod([waiting], { since: ['2019'] }) },
    { title: 'a pod that was started again often, and is ready', edit: pod([running(40, true)], { status: 'True' }) },
    { title: 'a pod that was started again five times and is not ready', edit: pod([running(5, false)]) },
    {
      title: 'a pod that waits for something else',
      edit: pod([{ ...waiting, restartCount: 0, state: { waiting: { reason: 'ContainerCreating' } } }]),
    },
    {
      title: 'a job that came to its end after some attempts',
      edit: pod([{ ...waiting, restartCount: 9, state: { terminated: { reason: 'Completed', exitCode: 0 } } }]),
    },
    { title: 'containers that are none', edit: chain(pod([]), odd) },
    {
      title: 'a pod in a conditional part of the archive',
      edit: withFile('config/pod/openshift-console/logs/console-1/pod.json', {
        status: { containerStatuses: [waiting] },
      }),
    },
  ],
};
