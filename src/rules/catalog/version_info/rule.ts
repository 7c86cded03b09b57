/** Tells the results aggregator the cluster's version; it finds no fault and has no texts. Source: data-pipeline.md 4.5. */
import { defineRule, makeInfo } from '../../engine/rule.ts';

export const versionInfo = defineRule({
  module: 'ccx_rules_processing.version_info',
  errorKeys: [],
  requires: ['clusterVersion'],
  evaluate: ({ clusterVersion }) => makeInfo('CLUSTER_VERSION_INFO', { version: clusterVersion.current }),
});
