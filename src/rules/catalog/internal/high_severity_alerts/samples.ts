/** Clusters with alerts of all kinds. */
import type { JsonObject } from '../../../../encoding/json-text.ts';
import { listAt, textAt } from '../../../engine/json-access.ts';
import { alert } from '../../healthy-cluster.ts';
import { chain, type Edit, type RuleSamples, withElements, withFile, withoutFiles } from '../../sample.ts';
import { highSeverityAlerts } from './rule.ts';

const now = '2026-11-21T16:00:00Z';
const since = '2026-11-20T10:00:00.000Z';
const firing = (...alerts: readonly JsonObject[]): Edit => withElements('config/alerts.json', [], ...alerts);
/** Since the cluster's watchdog fires, which is long, whenever its archive is gathered. */
const longFiring: Edit = (files) => {
  const start = textAt(listAt({ alerts: files['config/alerts.json'] ?? [] }, 'alerts')[0], 'startsAt') ?? since;
  return firing(alert('ClusterVersionOperatorDown', 'critical', start))(files);
};
const series = (labels: string, value = '1') =>
  `ALERTS{alertname="EtcdDown",${labels}severity="critical",prometheus_replica="prometheus-k8s-1"} ${value} 1763740800000\n`;

export const samples: RuleSamples = {
  rule: highSeverityAlerts,
  fires: {
    HIGH_SEVERITY_ALERTS: [
      {
        title: 'a critical alert that has been firing for a month',
        edit: longFiring,
        details: {
          alerts: [
            {
              name: 'ClusterVersionOperatorDown',
              namespace: 'openshift-monitoring',
              count: 1,
              since: '2026-10-22T16:00:00Z',
              summary: 'ClusterVersionOperatorDown is firing',
            },
          ],
        },
      },
      {
        title: 'a critical alert for exactly two hours',
        edit: firing(alert('EtcdDown', 'critical', '2026-11-21T14:00:00.000Z')),
        now,
      },
      {
        title: 'many alerts of one kind as one, with the time of the first',
        edit: firing(
          alert('TargetDown', 'critical', '2026-11-20T10:00:02.000Z'),
          alert('EtcdDown', 'critical', since, {
            labels: { alertname: 'EtcdDown', severity: 'critical' },
            annotations: {},
          }),
          alert('TargetDown', 'critical', '2026-11-20T10:00:01.000Z'),
        ),
        details: {
          alerts: [
            { name: 'EtcdDown', namespace: '', count: 1, since, summary: '' },
            {
              name: 'TargetDown',
              namespace: 'openshift-monitoring',
              count: 2,
              since: '2026-11-20T10:00:01.000Z',
              summary: 'TargetDown is firing',
            },
          ],
        },
      },
    ],
  },
  silent: [
    {
      title: 'a critical alert that has been firing for less than two hours',
      edit: firing(alert('EtcdDown', 'critical', '2026-11-21T14:00:00.001Z')),
      now,
    },
    { title: 'an alert of the future', edit: firing(alert('EtcdDown', 'critical', '2027-01-01T00:00:00Z')), now },
    {
      title: 'critical alerts that do not say since when',
      edit: firing(
        alert('EtcdDown', 'critical', ''),
        alert('EtcdDown', 'critical', '0001-01-01T00:00:00Z'),
        alert('EtcdDown', 'critical', 'yesterday'),
      ),
    },
    {
      title: 'critical alerts of an archive that holds them as series, which do not say since when',
      edit: chain(
        withoutFiles('config/alerts.json'),
        withFile('config/metrics', series('alertstate="firing",') + series('alertstate="pending",')),
      ),
    },
    { title: 'warnings', edit: firing(alert('TargetDown', 'warning', since)) },
    {
      title: 'a critical alert that somebody silenced',
      edit: firing(alert('EtcdDown', 'critical', since, { status: { state: 'suppressed', silencedBy: ['1'] } })),
    },
    { title: 'no alert at all', edit: withFile('config/alerts.json', []) },
    {
      title: 'entries that are no alerts',
      edit: withFile('config/alerts.json', [null, 1, { labels: { severity: 'critical' } }]),
    },
  ],
};
