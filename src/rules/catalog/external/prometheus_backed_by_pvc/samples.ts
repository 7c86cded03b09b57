/** Clusters on their way to releases in which Prometheus on a volume needs much memory, and to others. */
import type { JsonValue } from '../../../../encoding/json-text.ts';
import { chain, type Edit, type RuleSamples, withFile, withValue } from '../../sample.ts';
import { prometheusBackedByPvc } from './rule.ts';

const config = 'config/configmaps/openshift-monitoring/cluster-monitoring-config/config.json';
const update = (current: string, desired: JsonValue): Edit =>
  chain(
    withValue('config/version.json', ['status', 'history'], [{ state: 'Completed', version: current }]),
    withValue('config/version.json', ['status', 'desired', 'version'], desired),
  );

export const samples: RuleSamples = {
  rule: prometheusBackedByPvc,
  fires: {
    PROMETHEUS_BACKED_BY_PVC: [
      {
        title: 'an update to the release',
        edit: update('4.6.60', '4.7.24'),
        details: {},
        now: '2021-12-01T06:00:00Z',
        settles: ['release', 'storage of Prometheus'],
      },
      { title: 'an update to its first version', edit: update('4.6.60', '4.7.0'), details: {} },
      { title: 'an update within it', edit: update('4.7.0', '4.7.24'), details: {} },
    ],
  },
  silent: [
    { title: 'an update to the release before', edit: update('4.5.41', '4.6.60') },
    { title: 'an update to the release after', edit: update('4.7.24', '4.8.0') },
    {
      title: 'Prometheus without a volume',
      edit: chain(update('4.6.60', '4.7.24'), withFile(config, { prometheusK8s: { retention: '7d' } })),
    },
    {
      title: 'a volume that only Alertmanager has',
      edit: chain(update('4.6.60', '4.7.24'), withFile(config, { alertmanagerMain: { volumeClaimTemplate: {} } })),
    },
    { title: 'a desired version that is none', edit: update('4.6.60', 'latest') },
    { title: 'a desired version of another type', edit: update('4.6.60', { is: '4.7.24' }) },
  ],
};
