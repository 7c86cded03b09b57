/** Install plans of lib-bucket-provisioner pile up, which slows OLM and the API servers down. Source: data-pipeline.md 7.5 (24). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

const csvPrefix = 'lib-bucket-provisioner';

export const libBucketProvisionerCheck = defineRule({
  module: 'ccx_rules_ocp.external.rules.lib_bucket_provisioner_check',
  errorKeys: ['LIB_BUCKET_PROVISIONER_INSTALL_PLANS_ISSUE'],
  requires: ['installPlans'],
  evaluate({ installPlans }, { settings }) {
    const tooMany = installPlans.filter(
      ({ csv, count }) => csv.startsWith(csvPrefix) && count > settings.installPlansMax,
    );
    if (tooMany.length === 0) return makeNone();
    return makeFail('LIB_BUCKET_PROVISIONER_INSTALL_PLANS_ISSUE', {
      info: tooMany.map(({ namespace, csv, count }) => ({ ns: namespace, csv, count })),
    });
  },
});
