/**
 * The same as `ocp_version_end_of_life` for releases with Extended Update Support: what counts is the end of its first term, which every
 * subscription that includes it covers. Source: data-pipeline.md 7.2, 7.5 (30).
 */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { daysOfSupportLeft, END_OF_LIFE_NOTICE_DAYS, lifeCycleOf } from '../../life-cycle.ts';

export const ocpVersionEndOfLifeEus = defineRule({
  module: 'ccx_rules_ocp.external.rules.ocp_version_end_of_life_eus',
  errorKeys: ['OCP4X_EUS_EOL_APPROACHING', 'OCP4X_EUS_BEYOND_EOL'],
  requires: ['clusterVersion'],
  links: { docs: ['https://access.redhat.com/support/policy/updates/openshift'] },
  evaluate({ clusterVersion }, { now }) {
    const release = lifeCycleOf(clusterVersion.branch);
    if (clusterVersion.isOkd || release?.extended === undefined) return makeNone();
    const left = daysOfSupportLeft(release.extended, now);
    if (left > END_OF_LIFE_NOTICE_DAYS) return makeNone();
    return makeFail(left > 0 ? 'OCP4X_EUS_EOL_APPROACHING' : 'OCP4X_EUS_BEYOND_EOL', {
      version: clusterVersion.current,
      eol_date: release.extended,
    });
  },
});
