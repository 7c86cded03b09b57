/** The samples operator is degraded, because images could not be imported. Source: data-pipeline.md 7.5 (8). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { briefCondition } from '../../brief-conditions.ts';

export const samplesOpFailedImageImportCheck = defineRule({
  module: 'ccx_rules_ocp.external.rules.samples_op_failed_image_import_check',
  errorKeys: ['SAMPLES_FAILED_IMAGE_IMPORT_ERR'],
  requires: ['clusterOperators'],
  links: { kcs: ['https://access.redhat.com/solutions/4563171'] },
  evaluate({ clusterOperators }) {
    const operator = clusterOperators.find(({ name }) => name === 'openshift-samples');
    if (operator?.degraded.status !== true) return makeNone();
    const isImport =
      operator.degraded.reason === 'FailedImageImports' || operator.degraded.message.includes('image import failures');
    if (!isImport) return makeNone();
    const { reason, message, last_trans_time } = briefCondition(operator.degraded);
    const info = { name: operator.name, condition: 'Degraded', reason, message, lastTransitionTime: last_trans_time };
    return makeFail('SAMPLES_FAILED_IMAGE_IMPORT_ERR', { info });
  },
});
