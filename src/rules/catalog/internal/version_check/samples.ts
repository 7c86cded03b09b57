/** Clusters whose version operator fails, works for long, or is at work or at rest as it should be. */
import { chain, type Edit, type RuleSamples, withCondition, withValue } from '../../sample.ts';
import { versionCheck } from './rule.ts';

const path = 'config/version.json';
const condition = (type: string, status: string, lastTransitionTime: string, reason = '', message = ''): Edit =>
  withCondition(path, { type, status, lastTransitionTime, reason, message });
const desired = (version: string): Edit => withValue(path, ['status', 'desired', 'version'], version);
const history = (startedTime: string): Edit =>
  withValue(
    path,
    ['status', 'history'],
    [
      { state: 'Partial', startedTime, completionTime: null, version: '4.21.1' },
      { state: 'Completed', startedTime: '2019-11-01T00:00:00Z', version: '4.20.3' },
    ],
  );
const told = (status: boolean | null, time: string | null = null, reason = '', message = '') => {
  return { status, last_trans_time: time, reason, message };
};
const notAvailable = ['ClusterOperatorsNotAvailable', 'Cluster operators console, ingress are not available'] as const;

export const samples: RuleSamples = {
  rule: versionCheck,
  fires: {
    CLUSTER_VERSION_WORKING_TOWARDS: [
      {
        title: 'a version operator that fails at rest',
        edit: condition('Failing', 'True', '2026-11-21T04:46:52Z', ...notAvailable),
      },
      {
        title: 'all that it says',
        edit: chain(
          withValue(path, ['status', 'conditions'], []),
          condition('Failing', 'True', '2026-11-21T04:46:52Z', ...notAvailable),
          condition('Progressing', 'True', '2026-11-21T04:00:00Z', 'ClusterOperatorsNotAvailable'),
          desired('4.21.1'),
          history('2026-11-21T04:00:00Z'),
        ),
        details: {
          current: '4.20.3',
          desired: '4.21.1',
          available: told(null),
          progressing: told(true, '2026-11-21T04:00:00Z', 'ClusterOperatorsNotAvailable'),
          failing: told(true, '2026-11-21T04:46:52Z', ...notAvailable),
          history_count: 2,
        },
      },
      {
        title: 'an update that began exactly six hours before',
        edit: chain(condition('Progressing', 'True', '2026-11-21T10:00:00Z'), desired('4.21.1')),
      },
      {
        title: 'a first installation that does not end',
        edit: chain(
          condition('Progressing', 'True', '2026-11-20T10:00:00Z', '', 'Working towards 4.20.3: 500 of 900 done'),
          withValue(path, ['status', 'history'], [{ state: 'Partial', startedTime: '2026-11-20T10:00:00Z' }]),
        ),
      },
      { title: 'a failure without a time', edit: condition('Failing', 'True', '') },
    ],
  },
  silent: [
    { title: 'a cluster at rest', edit: (files) => files },
    {
      title: 'an update of a moment less than six hours',
      edit: chain(condition('Progressing', 'True', '2026-11-21T10:00:01Z'), desired('4.21.1')),
    },
    {
      title: 'another version that is wanted while the first was not reached yet',
      edit: chain(condition('Progressing', 'True', '2026-11-20T10:00:00Z'), history('2026-11-21T15:00:00Z')),
    },
    { title: 'work that says no time', edit: condition('Progressing', 'True', 'long ago') },
    { title: 'a failure that is not known', edit: condition('Failing', 'Unknown', '2026-11-20T10:00:00Z') },
  ],
};
