/** A router has more servers than it exports metrics of each. Source: data-pipeline.md 7.5 (38). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

export const haproxyExporterServerThresholdExceeded = defineRule({
  module: 'ccx_rules_ocp.external.rules.haproxy_exporter_server_threshold_exceeded',
  errorKeys: ['HAPROXY_EXPORTER_SERVER_THRESHOLD_EXCEEDED'],
  requires: ['routerServers'],
  evaluate({ routerServers }) {
    // Of the pods of one router, which all have about the same servers, the one that has most; of equal ones the first.
    const [worst] = routerServers
      .filter(({ current, limit }) => current > limit)
      .sort((a, b) => b.current - b.limit - (a.current - a.limit));
    if (worst === undefined) return makeNone();
    const { pod, current, limit } = worst;
    return makeFail('HAPROXY_EXPORTER_SERVER_THRESHOLD_EXCEEDED', { pod, current, limit });
  },
});
