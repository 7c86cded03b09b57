/** The cluster network runs on a plug-in that is not supported (any more). Source: data-pipeline.md 7.5 (29). */

import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { isAtLeastMinor } from '../../../engine/semantic-version.ts';

/** First minor release of 4 without the plug-in. */
const removedInMinor: Readonly<Record<string, number>> = { openshiftsdn: 17, kuryr: 15 };

/** The default plug-in and the partners' that are certified, lower case. `Other` is what hosted clusters say of a partner's plug-in. */
const supported = new Set(['ovnkubernetes', 'antrea', 'calico', 'cilium', 'ciscoaci', 'contrail', 'ncp', 'other']);

export const unsupportedCniPlugin = defineRule({
  module: 'ccx_rules_ocp.external.rules.unsupported_cni_plugin',
  errorKeys: ['UNSUPPORTED_CNI_PLUGIN'],
  requires: ['network', 'clusterVersion'],
  links: { kcs: ['https://access.redhat.com/articles/5436171'] },
  evaluate({ network, clusterVersion }) {
    // The network operator compares names without regard to case.
    const name = network.networkType.toLowerCase();
    const removedIn = Object.hasOwn(removedInMinor, name) ? removedInMinor[name] : undefined;
    const isSupported =
      removedIn === undefined ? supported.has(name) : !isAtLeastMinor(clusterVersion.parsed, removedIn);
    return isSupported ? makeNone() : makeFail('UNSUPPORTED_CNI_PLUGIN', { cni: network.networkType });
  },
});
