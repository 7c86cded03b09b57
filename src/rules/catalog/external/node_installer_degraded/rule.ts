/** Operators of static pods wait for installer pods that failed or are gone. Source: data-pipeline.md 7.5 (7). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { briefOperator } from '../../brief-conditions.ts';

const staticPodOperators: readonly string[] = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];

export const nodeInstallerDegraded = defineRule({
  module: 'ccx_rules_ocp.external.rules.node_installer_degraded',
  errorKeys: ['NODE_INSTALLER_DEGRADED'],
  requires: ['clusterOperators'],
  links: {
    bz: ['https://bugzilla.redhat.com/show_bug.cgi?id=1723966'],
    kcs: ['https://access.redhat.com/solutions/4849711'],
  },
  evaluate({ clusterOperators }) {
    const degraded = clusterOperators.filter(
      (operator) =>
        staticPodOperators.includes(operator.name) &&
        operator.degraded.status === true &&
        operator.degraded.reason.includes('NodeInstallerDegraded'),
    );
    if (degraded.length === 0) return makeNone();
    return makeFail('NODE_INSTALLER_DEGRADED', {
      degraded_operators: degraded.map((operator) => briefOperator(operator)),
    });
  },
});
