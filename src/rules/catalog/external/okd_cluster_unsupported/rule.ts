/** The cluster runs the community distribution. Source: data-pipeline.md 7.5 (40). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

export const okdClusterUnsupported = defineRule({
  module: 'ccx_rules_ocp.external.rules.okd_cluster_unsupported',
  errorKeys: ['OKD_CLUSTER_UNSUPPORTED'],
  requires: ['clusterVersion'],
  evaluate: ({ clusterVersion }) =>
    clusterVersion.isOkd ? makeFail('OKD_CLUSTER_UNSUPPORTED', { version: clusterVersion.current }) : makeNone(),
});
