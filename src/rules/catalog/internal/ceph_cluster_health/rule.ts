/** A Ceph cluster is not healthy. Source: data-pipeline.md 7.5 (generic checks); its family, `ocs`, is none that owners see. */
import { cutText, defineRule, makeFail, makeNone, messageCharactersMax } from '../../../engine/rule.ts';

/** Of each cluster; the rest are counted. */
const checksListedMax = 10;

export const cephClusterHealth = defineRule({
  module: 'ccx_rules_ocp.ocs.ceph_cluster_health',
  errorKeys: ['CEPH_CLUSTER_NOT_HEALTHY'],
  requires: ['cephClusters'],
  evaluate({ cephClusters }) {
    // One that is being made has no health yet.
    const sick = cephClusters.filter(({ health }) => health !== '' && health !== 'HEALTH_OK');
    if (sick.length === 0) return makeNone();
    return makeFail('CEPH_CLUSTER_NOT_HEALTHY', {
      clusters: sick.map(({ name, namespace, health, checks }) => ({
        name,
        namespace,
        health,
        checks: checks.slice(0, checksListedMax).map((check) => ({
          name: cutText(check.name, messageCharactersMax),
          severity: check.severity,
          message: cutText(check.message, messageCharactersMax),
        })),
        more_checks: Math.max(checks.length - checksListedMax, 0),
      })),
    });
  },
});
