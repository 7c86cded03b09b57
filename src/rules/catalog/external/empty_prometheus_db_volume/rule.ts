/** The platform's Prometheus keeps its data on a volume that ends with its pod. Source: data-pipeline.md 7.5 (16). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

const claimPrefix = 'prometheus-k8s-db-';

export const emptyPrometheusDbVolume = defineRule({
  module: 'ccx_rules_ocp.external.rules.empty_prometheus_db_volume',
  errorKeys: ['PROMETHEUS_DB_VOLUME_IS_EMPTY'],
  requires: ['clusterVersion', 'prometheusStorage'],
  // A volume that cannot be read may be the one.
  requiresWhole: ['persistentVolumes', 'prometheusStorage'],
  links: {
    jira: [
      'https://issues.redhat.com/browse/INSIGHTOCP-51',
      'https://issues.redhat.com/browse/INSIGHTOCP-258',
      'https://issues.redhat.com/browse/INSIGHTOCP-439',
    ],
  },
  evaluate({ clusterVersion, prometheusStorage, persistentVolumes = [] }) {
    const hasVolume =
      prometheusStorage.claimsVolume ||
      persistentVolumes.some(({ claimName }) => claimName.startsWith(claimPrefix)) ||
      prometheusStorage.podsAreEphemeral.includes(false);
    return hasVolume ? makeNone() : makeFail('PROMETHEUS_DB_VOLUME_IS_EMPTY', { ocp_branch: clusterVersion.branch });
  },
});
