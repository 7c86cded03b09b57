/** Clusters with alerts of all kinds. */
import type { JsonObject } from '../../../../encoding/json-text.ts';
import { alert } from '../../healthy-cluster.ts';
import { type Edit, type RuleSamples, withElements, withFile } from '../../sample.ts';
import { highSeverityAlerts } from './rule.ts';

const since = '2026-11-20T10:00:00.000Z';
const firing = (...alerts: readonly JsonObject[]): Edit => withElements('config/alerts.json', [], ...alerts);

export const samples: RuleSamples = {
  rule: highSeverityAlerts,
  fires: {
    HIGH_SEVERITY_ALERTS: [
      {
        title: 'a critical alert',
        edit: firing(alert('ClusterVersionOperatorDown', 'critical', since)),
        details: {
          alerts: [
            {
              name: 'ClusterVersionOperatorDown',
              namespace: 'openshift-monitoring',
              count: 1,
              since,
              summary: 'ClusterVersionOperatorDown is firing',
            },
          ],
        },
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
