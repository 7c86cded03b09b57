/**
 * The monitoring operator was given a security context constraint under which its image does not start. Source: data-pipeline.md 7.5 (36);
 * versions: affected-versions.yaml.
 *
 * Provisional: the versions are ours. It was reported of updates from 4.5 to 4.6 (okd-project/okd, issue 434; bug 1904538), and the
 * proposal to mend it (openshift/cluster-monitoring-operator, pull request 1015) was closed; which release mends it is not public, so we take
 * all of 4.6. Looked at: these, and other issues with the same message, which are about other operators.
 */
import { cutText, defineRule, makeFail, makeNone, messageCharactersMax } from '../../../engine/rule.ts';
import { isAffected } from '../../affected-versions.ts';

const message = 'container has runAsNonRoot and image will run as root';

export const cmoContainerRunAsNonRoot = defineRule({
  module: 'ccx_rules_ocp.external.rules.cmo_container_run_as_non_root',
  errorKeys: ['CMO_CONTAINER_RUN_AS_NON_ROOT'],
  requires: ['clusterVersion'],
  mark: 'provisional',
  evaluate({ clusterVersion: { parsed, current }, monitoringOperator = [] }, { settings }) {
    if (!isAffected('cmo_container_run_as_non_root', parsed, settings)) return makeNone();
    const refused = monitoringOperator.filter(
      (container) => container.reason === 'CreateContainerConfigError' && container.message.includes(message),
    );
    if (refused.length === 0) return makeNone();
    return makeFail('CMO_CONTAINER_RUN_AS_NON_ROOT', {
      version: current,
      containers: refused.map((one) => ({
        name: one.pod,
        container: one.container,
        message: cutText(one.message, messageCharactersMax),
      })),
    });
  },
});
