/** The cluster network runs on a plug-in that is not supported (any more). Source: data-pipeline.md 7.5 (29); names: network-plugins.yaml. */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { isSupportedPlugin } from '../../network-plugins.ts';

export const unsupportedCniPlugin = defineRule({
  module: 'ccx_rules_ocp.external.rules.unsupported_cni_plugin',
  errorKeys: ['UNSUPPORTED_CNI_PLUGIN'],
  requires: ['network', 'clusterVersion'],
  links: { kcs: ['https://access.redhat.com/articles/5436171'] },
  evaluate: ({ network: { networkType }, clusterVersion }, { settings }) =>
    isSupportedPlugin(networkType, clusterVersion.parsed, settings)
      ? makeNone()
      : makeFail('UNSUPPORTED_CNI_PLUGIN', { cni: networkType }),
});
