/** The managed image registry has no storage, storage that does not last, or a claim that nothing fulfils. Source: data-pipeline.md 7.5 (15). */

import type { Condition } from '../../../engine/facts/resources.ts';
import type { ImageRegistry } from '../../../engine/facts/storage.ts';
import type { Facts } from '../../../engine/facts.ts';
import { cutText, defineRule, makeFail, makeNone, messageCharactersMax } from '../../../engine/rule.ts';

const registryNamespace = 'openshift-image-registry';

export const imageRegistryStorage = defineRule({
  module: 'ccx_rules_ocp.external.rules.image_registry_storage',
  errorKeys: ['IMAGE_REGISTRY_STORAGE_NOT_CONFIGURED', 'IMAGE_REGISTRY_EMPTYDIR', 'IMAGE_REGISTRY_PVC_NOT_BOUND'],
  requires: ['imageRegistry', 'infrastructure'],
  // A volume that cannot be read may be the one that fulfils the claim.
  requiresWhole: ['nodes', 'persistentVolumes'],
  links: { docs: ['https://docs.openshift.com/container-platform/latest/registry/configuring-registry-operator.html'] },
  evaluate(facts) {
    const { imageRegistry: registry, infrastructure } = facts;
    if (registry.managementState !== 'Managed') return makeNone();
    if (registry.backends.length === 0 || registry.storageExists.status === false) {
      const condition = registry.storageExists.status === false ? registry.storageExists : registry.degraded;
      return makeFail('IMAGE_REGISTRY_STORAGE_NOT_CONFIGURED', {
        info: describe(registry, 'StorageExists', condition),
      });
    }
    if (registry.backends.includes('emptyDir') && !isSmallCluster(facts)) {
      const info = {
        ...describe(registry, 'StorageExists', registry.storageExists),
        platform: infrastructure.platform,
      };
      return makeFail('IMAGE_REGISTRY_EMPTYDIR', { info });
    }
    if (registry.claim !== undefined && isClaimUnbound(registry, registry.claim, facts)) {
      const info = { ...describe(registry, 'Available', registry.available), claim: registry.claim };
      return makeFail('IMAGE_REGISTRY_PVC_NOT_BOUND', { info });
    }
    return makeNone();
  },
});

/** Where nothing else is at hand, `emptyDir` is the documented choice: no cloud platform, or a single node. */
function isSmallCluster({ infrastructure, nodes }: Facts): boolean {
  return (
    infrastructure?.platform === 'None' ||
    infrastructure?.controlPlaneTopology === 'SingleReplica' ||
    nodes?.length === 1
  );
}

/**
 * No collected volume names the claim. A registry that says it is available has its volume all the same: older operators do not collect
 * volumes, and then their absence proves nothing.
 */
function isClaimUnbound(registry: ImageRegistry, claim: string, { persistentVolumes = [] }: Facts): boolean {
  const bound = persistentVolumes.some(
    (volume) => volume.claimNamespace === registryNamespace && volume.claimName === claim,
  );
  return !bound && registry.available.status !== true;
}

function describe(registry: ImageRegistry, type: string, condition: Condition) {
  return {
    meta: { name: registry.name },
    storage: registry.backends,
    condition: {
      type,
      reason: cutText(condition.reason, messageCharactersMax),
      message: cutText(condition.message, messageCharactersMax),
      lastTransitionTime: condition.last_trans_time,
    },
  };
}
