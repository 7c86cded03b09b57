/**
 * Nodes on Azure do not accept their SSH keys. Source: data-pipeline.md 7.5 (35); versions: affected-versions.yaml.
 *
 * Provisional: the versions are ours. The service that fetches keys fails on Azure (coreos/afterburn, issue 405, April 2020), which was
 * reported of 4.3.18 (openshift/installer, issue 3549) and mended upstream in the spring of 2020, when 4.4 was out and 4.5 was not. So the
 * range is 4.3 and 4.4, which says too much of their last patch releases. Looked at: these, issues of the machine config operator and of
 * Fedora CoreOS, release notes.
 */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { isAffected } from '../../affected-versions.ts';

export const azureSshNotWork = defineRule({
  module: 'ccx_rules_ocp.external.rules.azure_ssh_not_work',
  errorKeys: ['AZURE_SSH_NOT_WORK'],
  requires: ['infrastructure', 'clusterVersion'],
  mark: 'provisional',
  evaluate({ infrastructure, clusterVersion: { parsed, current } }, { settings }) {
    if (infrastructure.platform !== 'Azure' || !isAffected('azure_ssh_not_work', parsed, settings)) return makeNone();
    return makeFail('AZURE_SSH_NOT_WORK', { version: current });
  },
});
