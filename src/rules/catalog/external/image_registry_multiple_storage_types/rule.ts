/** The image registry has more than one storage backend and refuses to work. Source: data-pipeline.md 7.5 (14). */
import type { Condition } from '../../../engine/facts/resources.ts';
import type { Facts } from '../../../engine/facts.ts';
import { cutText, defineRule, makeFail, makeNone, messageCharactersMax } from '../../../engine/rule.ts';

/** What the operator says of it, in its cluster operator and in its own resource. */
const complaint = 'exactly one storage type should be configured at the same time';

/** Where the operator's resource is on every cluster. */
const registryMeta = { name: 'cluster', selfLink: '/apis/imageregistry.operator.openshift.io/v1/configs/cluster' };

export const imageRegistryMultipleStorageTypes = defineRule({
  module: 'ccx_rules_ocp.external.rules.image_registry_multiple_storage_types',
  errorKeys: ['IMAGE_REGISTRY_MULTIPLE_STORAGE_TYPES'],
  requires: [],
  requiresAny: [['imageRegistry', 'clusterOperators']],
  links: { kcs: ['https://access.redhat.com/solutions/4516391'] },
  evaluate(facts) {
    const condition = complainingCondition(facts);
    if (condition === undefined) return makeNone();
    const { name, selfLink } = facts.imageRegistry ?? registryMeta;
    return makeFail('IMAGE_REGISTRY_MULTIPLE_STORAGE_TYPES', {
      info: {
        meta: { name, selfLink },
        condition: {
          type: 'Degraded',
          reason: cutText(condition.reason, messageCharactersMax),
          message: cutText(condition.message, messageCharactersMax),
          lastTransitionTime: condition.last_trans_time,
        },
      },
    });
  },
});

/** The words decide, not the configuration beside them: the two are not gathered at the same moment. */
function complainingCondition({ imageRegistry, clusterOperators = [] }: Facts): Condition | undefined {
  const operator = clusterOperators.find(({ name }) => name === 'image-registry');
  return [imageRegistry?.degraded, operator?.degraded].find(
    (condition) => condition?.status === true && condition.message.includes(complaint),
  );
}
