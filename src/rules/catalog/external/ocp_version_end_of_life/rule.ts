/**
 * The cluster's minor release is near or past its end of life. Releases with Extended Update Support belong to
 * `ocp_version_end_of_life_eus`. Source: data-pipeline.md 7.5 (30).
 */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { daysOfSupportLeft, END_OF_LIFE_NOTICE_DAYS, lifeCycleOf } from '../../life-cycle.ts';

export const ocpVersionEndOfLife = defineRule({
  module: 'ccx_rules_ocp.external.rules.ocp_version_end_of_life',
  errorKeys: ['OCP4X_EOL_APPROACHING', 'OCP4X_BEYOND_EOL'],
  requires: ['clusterVersion'],
  links: { docs: ['https://access.redhat.com/support/policy/updates/openshift'] },
  evaluate({ clusterVersion }, { now }) {
    const release = lifeCycleOf(clusterVersion.branch);
    if (clusterVersion.isOkd || release === undefined || release.extended !== undefined) return makeNone();
    const left = daysOfSupportLeft(release.maintenance, now);
    if (left > END_OF_LIFE_NOTICE_DAYS) return makeNone();
    return makeFail(left > 0 ? 'OCP4X_EOL_APPROACHING' : 'OCP4X_BEYOND_EOL', {
      version: clusterVersion.current,
      eol_date: release.maintenance,
    });
  },
});
