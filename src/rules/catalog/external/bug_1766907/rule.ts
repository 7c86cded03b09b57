/**
 * A cluster-wide proxy is set, and the version operator of this release does not use it to verify releases. Source: data-pipeline.md 7.5 (5).
 *
 * Provisional: the range of versions is ours. The bug is that the operator fetches the signatures of releases without the proxy. It was
 * mended for 4.3 (openshift/cluster-version-operator, pull request 267) and, as bug 1775836, in 4.2 (pull request 271), in December 2019 or
 * January 2020; in which patch release is in an advisory that we could not read. The proxy itself came with 4.2. Looked at: both pull
 * requests, release notes of 4.2 and 4.3, sample reports of the hosted rules. So the range is all of 4.2, which says too much of its last
 * patch releases.
 */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { isAffected } from '../../affected-versions.ts';

export const bug1766907 = defineRule({
  module: 'ccx_rules_ocp.external.bug_rules.bug_1766907',
  errorKeys: ['BUGZILLA_BUG_1766907'],
  requires: ['clusterVersion'],
  mark: 'provisional',
  links: {
    bz: ['https://bugzilla.redhat.com/show_bug.cgi?id=1766907'],
    kcs: ['https://access.redhat.com/solutions/4631541'],
  },
  evaluate({ clusterVersion, proxy }, { settings }) {
    const affected = isAffected('bug_1766907', clusterVersion.parsed, settings);
    return affected && proxy !== undefined ? makeFail('BUGZILLA_BUG_1766907') : makeNone();
  },
});
