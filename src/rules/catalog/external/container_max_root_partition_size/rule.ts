/** A runtime configuration of pools bounds what containers may write. Source: data-pipeline.md 7.5 (10). */

import { selects } from '../../../engine/label-selector.ts';
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

export const containerMaxRootPartitionSize = defineRule({
  module: 'ccx_rules_ocp.external.rules.container_max_root_partition_size',
  errorKeys: ['CONTAINER_ROOT_PARTITION_SIZE'],
  requires: ['machineConfigPools'],
  links: { kcs: ['https://access.redhat.com/solutions/5216861'] },
  evaluate({ machineConfigPools, containerRuntimeConfigs = [] }) {
    const limiting = containerRuntimeConfigs.filter(({ overlayBytes }) => overlayBytes !== undefined);
    const mcps = limiting.flatMap(({ poolSelector }) =>
      machineConfigPools.filter(({ labels }) => selects(poolSelector, labels)).map(({ name }) => name),
    );
    return mcps.length === 0 ? makeNone() : makeFail('CONTAINER_ROOT_PARTITION_SIZE', { mcps });
  },
});
