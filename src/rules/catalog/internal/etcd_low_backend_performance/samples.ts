/** Clusters whose etcd is quick, is slow and is not known for long enough. */
import { etcdSeries } from '../../healthy-cluster.ts';
import { chain, type Edit, type RuleSamples, withFile, withoutFiles, withValue } from '../../sample.ts';
import { etcdLowBackendPerformance } from './rule.ts';

const now = '2026-11-21T16:00:00Z';
const started = (startedTime: string): Edit =>
  withValue(
    'config/version.json',
    ['status', 'history'],
    [{ state: 'Completed', version: '4.20.3', startedTime, completionTime: now }],
  );
const adding =
  (...lines: readonly string[]): Edit =>
  (files) =>
    withFile('config/metrics', `${String(files['config/metrics'] ?? '')}${lines.join('\n')}\n`)(files);
const only = (...lines: readonly string[]): Edit => chain(withoutFiles('config/metrics'), adding(...lines));

export const samples: RuleSamples = {
  rule: etcdLowBackendPerformance,
  fires: {
    ETCD_LOW_BACKEND_PERFORMANCE: [
      {
        title: 'a member that is slow ten times a minute',
        edit: adding(etcdSeries('etcd-master-9', 432_000)),
        settles: ['release'],
        details: {
          members: [{ name: 'etcd-master-9', slow_applies: 432_000, per_hour: 600 }],
          since: '2026-10-22T16:00:00Z',
          per_hour_max: 60,
        },
      },
      {
        title: 'one more than once a minute over the shortest time',
        edit: chain(
          started('2026-11-20T16:00:00Z'),
          adding(etcdSeries('etcd-a', 1441), etcdSeries('etcd-b', '1.5e+03'), etcdSeries('etcd-c', 1440)),
        ),
        now,
        details: {
          members: [
            { name: 'etcd-a', slow_applies: 1441, per_hour: 60 },
            { name: 'etcd-b', slow_applies: 1500, per_hour: 63 },
          ],
          since: '2026-11-20T16:00:00Z',
          per_hour_max: 60,
        },
      },
    ],
  },
  silent: [
    { title: 'members that are slow at times', edit: adding(etcdSeries('etcd-x', 40)) },
    {
      title: 'a cluster that has not run the version for a day',
      edit: chain(started('2026-11-20T16:00:01Z'), adding(etcdSeries('etcd-x', 900_000))),
      now,
    },
    {
      title: 'a cluster that does not say since when it runs the version',
      edit: chain(started('long ago'), adding(etcdSeries('etcd-x', 900_000))),
    },
    {
      title: 'a version of the future',
      edit: chain(started('2027-01-01T00:00:00Z'), adding(etcdSeries('etcd-x', 9e6))),
    },
    {
      title: 'series that are none of a member',
      edit: only(
        etcdSeries('etcd-ok', 1),
        etcdSeries('', 9e6),
        etcdSeries('e'.repeat(254), 9e6),
        etcdSeries('etcd-y', 'NaN'),
        etcdSeries('etcd-z', -9e6),
        `x${etcdSeries('etcd-x', 9e6)}`,
      ),
    },
  ],
};
