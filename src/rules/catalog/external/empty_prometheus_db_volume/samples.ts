/** Clusters whose Prometheus keeps its data, and some whose Prometheus loses it. */
import type { JsonValue } from '../../../../encoding/json-text.ts';
import { chain, type Edit, type RuleSamples, withElements, withFile, withoutFiles, withValue } from '../../sample.ts';
import { emptyPrometheusDbVolume } from './rule.ts';

const config = 'config/configmaps/openshift-monitoring/cluster-monitoring-config/config.json';
const configured = (value: JsonValue): Edit => withFile(config, value);
const withoutVolumes = withoutFiles('config/persistentvolumes');
const pod = (index: number, volume: JsonValue): Edit =>
  withFile(`config/pod/openshift-monitoring/prometheus-k8s-${index}.json`, {
    metadata: { name: `prometheus-k8s-${index}` },
    spec: { volumes: [{ name: 'config', secret: {} }, volume] },
  });
const volumeFor = (name: string): Edit =>
  withFile('config/persistentvolumes/pvc-9.json', {
    metadata: { name: 'pvc-9' },
    spec: { claimRef: { namespace: 'openshift-monitoring', name } },
  });
const ephemeral = { name: 'prometheus-k8s-db', emptyDir: {} };
const branch = { ocp_branch: '4.9' };
const release = withValue('config/version.json', ['status', 'history'], [{ state: 'Completed', version: '4.9.7' }]);
const unconfigured = chain(configured({ prometheusK8s: { retention: '7d' } }), withoutVolumes);

export const samples: RuleSamples = {
  rule: emptyPrometheusDbVolume,
  fires: {
    PROMETHEUS_DB_VOLUME_IS_EMPTY: [
      { title: 'a configuration that asks for no volume', edit: unconfigured, settles: ['storage of Prometheus'] },
      {
        title: 'pods whose data ends with them',
        edit: chain(unconfigured, release, pod(0, ephemeral), pod(1, ephemeral)),
        details: branch,
      },
      {
        title: 'a cluster of which the operator says that nothing is configured',
        edit: chain(
          release,
          withoutVolumes,
          withoutFiles(config),
          withElements('insights-operator/gathers.json', ['status_reports'], {
            name: 'clusterconfig/config_maps',
            errors: ['configmaps "gateway-mode-config" not found', 'configmaps "cluster-monitoring-config" not found'],
          }),
        ),
        details: branch,
      },
      {
        title: "a volume that is Alertmanager's",
        edit: chain(unconfigured, release, volumeFor('alertmanager-main-db-alertmanager-main-0')),
        details: branch,
      },
      {
        title: 'a configuration of another shape',
        edit: chain(release, withoutVolumes, configured({ prometheusK8s: [{ volumeClaimTemplate: {} }] })),
        details: branch,
      },
    ],
  },
  silent: [
    { title: 'a volume for each pod', edit: (files) => files },
    { title: 'a volume that is asked for and not made yet', edit: withoutVolumes },
    { title: 'a volume that no configuration asks for any more', edit: configured({}) },
    {
      title: 'a pod with a volume, whatever is configured',
      edit: chain(
        unconfigured,
        pod(0, ephemeral),
        pod(1, {
          name: 'prometheus-k8s-db',
          persistentVolumeClaim: { claimName: 'prometheus-k8s-db-prometheus-k8s-1' },
        }),
      ),
    },
    {
      title: 'a pod whose volumes have another shape',
      edit: chain(unconfigured, withFile('config/pod/openshift-monitoring/prometheus-k8s-0.json', { spec: 'x' })),
    },
  ],
};
