/**
 * TLS handshakes over OpenShift SDN time out on Azure. Source: data-pipeline.md 7.5 (34); versions: affected-versions.yaml.
 *
 * Provisional: the versions are ours. TLS handshake timeouts on Azure are a known issue of release 4.5 (openshift/openshift-docs, pull
 * request 23631, bug 1851549); which patch release mends it is not public, so we take all of 4.5. Of OVN-Kubernetes nobody reports it.
 * Looked at: release notes, issues of the installer and of the network operator, edges that the update graph blocks.
 */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { isAffected } from '../../affected-versions.ts';

export const tlsHandshakeFailsInAzure = defineRule({
  module: 'ccx_rules_ocp.external.rules.tls_handshake_fails_in_azure',
  errorKeys: ['TLS_HANDSHAKE_FAILS_IN_AZURE'],
  requires: ['infrastructure', 'network', 'clusterVersion'],
  mark: 'provisional',
  evaluate({ infrastructure, network, clusterVersion: { parsed, current } }, { settings }) {
    const isWhere = infrastructure.platform === 'Azure' && network.networkType.toLowerCase() === 'openshiftsdn';
    if (!isWhere || !isAffected('tls_handshake_fails_in_azure', parsed, settings)) return makeNone();
    return makeFail('TLS_HANDSHAKE_FAILS_IN_AZURE', { version: current });
  },
});
