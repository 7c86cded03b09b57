/** A release that refuses every update once default security context constraints were changed, and they were. Source: data-pipeline.md 7.5 (6). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { parseVersion } from '../../../engine/semantic-version.ts';
import { isAffected } from '../../affected-versions.ts';

export const bug1821905 = defineRule({
  module: 'ccx_rules_ocp.external.bug_rules.bug_1821905',
  errorKeys: ['BUGZILLA_BUG_1821905'],
  requires: ['clusterVersion', 'clusterOperators'],
  links: {
    bz: ['https://bugzilla.redhat.com/show_bug.cgi?id=1821905'],
    kcs: ['https://access.redhat.com/solutions/4972291'],
  },
  evaluate({ clusterVersion, clusterOperators }, { settings }) {
    const { parsed, desired } = clusterVersion;
    const versions = [parsed, parseVersion(desired) ?? parsed];
    const blocks = clusterOperators.some(
      ({ name, upgradeable }) =>
        name === 'kube-apiserver' &&
        upgradeable.status === false &&
        upgradeable.reason.includes('DefaultSecurityContextConstraints_Mutated'),
    );
    if (!blocks || !versions.some((version) => isAffected('bug_1821905', version, settings))) return makeNone();
    return makeFail('BUGZILLA_BUG_1821905', { desired });
  },
});
