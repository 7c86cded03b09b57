/** The storage operator is degraded, since the account in vCenter lacks rights. Source: data-pipeline.md 7.5 (41). */
import { cutText, defineRule, makeFail, makeNone, messageCharactersMax } from '../../../engine/rule.ts';

export const csoDegradedDueToMissingPrivilege = defineRule({
  module: 'ccx_rules_ocp.external.rules.cso_degraded_due_to_missing_privilege',
  errorKeys: ['CSO_DEGRADED_DUE_TO_MISSING_PRIVILIGES'],
  requires: ['clusterOperators', 'infrastructure'],
  evaluate({ clusterOperators, infrastructure }) {
    const storage = clusterOperators.find(({ name }) => name === 'storage');
    if (infrastructure.platform !== 'VSphere' || storage?.degraded.status !== true) return makeNone();
    if (!/missing privileges|NoPermission/i.test(storage.degraded.message)) return makeNone();
    const cut = (condition: typeof storage.degraded) => ({
      ...condition,
      reason: cutText(condition.reason, messageCharactersMax),
      message: cutText(condition.message, messageCharactersMax),
    });
    return makeFail('CSO_DEGRADED_DUE_TO_MISSING_PRIVILIGES', {
      op: {
        name: storage.name,
        version: storage.version,
        available: cut(storage.available),
        degraded: cut(storage.degraded),
        progressing: cut(storage.progressing),
        upgradeable: cut(storage.upgradeable),
      },
    });
  },
});
