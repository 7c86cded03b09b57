/** Prometheus on a persistent volume needs twice its memory during an update to some releases. Source: data-pipeline.md 7.5 (17); versions are in affected-versions.yaml. */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { parseVersion } from '../../../engine/semantic-version.ts';
import { isAffected } from '../../affected-versions.ts';

export const prometheusBackedByPvc = defineRule({
  module: 'ccx_rules_ocp.external.rules.prometheus_backed_by_pvc',
  errorKeys: ['PROMETHEUS_BACKED_BY_PVC'],
  requires: ['clusterVersion', 'prometheusStorage'],
  links: { bz: ['https://bugzilla.redhat.com/show_bug.cgi?id=1925061'] },
  mark: 'provisional',
  evaluate({ clusterVersion, prometheusStorage }, { settings }) {
    const desired = parseVersion(clusterVersion.desired);
    const isHit =
      prometheusStorage.claimsVolume &&
      desired !== undefined &&
      isAffected('prometheus_backed_by_pvc', desired, settings);
    return isHit ? makeFail('PROMETHEUS_BACKED_BY_PVC') : makeNone();
  },
});
