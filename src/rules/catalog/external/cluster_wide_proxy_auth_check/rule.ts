/** The authentication operator is degraded while a cluster-wide proxy is set. Source: data-pipeline.md 7.5 (4). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { briefOperator } from '../../brief-conditions.ts';

const kcs = 'https://access.redhat.com/solutions/4569191';
/** What the operator says of the endpoint that it cannot reach. Source: data-pipeline.md 7.5 (4). */
const symptom = 'WellKnownEndpointDegraded: failed to GET well-known';

export const clusterWideProxyAuthCheck = defineRule({
  module: 'ccx_rules_ocp.external.rules.cluster_wide_proxy_auth_check',
  errorKeys: ['AUTH_OPERATOR_PROXY_ERROR'],
  requires: ['clusterOperators'],
  links: { kcs: [kcs] },
  evaluate({ clusterOperators, proxy }) {
    const op = clusterOperators.find(({ name }) => name === 'authentication');
    if (proxy === undefined || op?.degraded.status !== true || !op.degraded.message.includes(symptom))
      return makeNone();
    return makeFail('AUTH_OPERATOR_PROXY_ERROR', { op: briefOperator(op), kcs });
  },
});
