/** Clusters with changed and unchanged constraints on releases before, in and after the range. */
import { chain, type Edit, type RuleSamples, withCondition, withValue } from '../../sample.ts';
import { bug1821905 } from './rule.ts';

/** When these releases were new. */
const now = '2020-04-20T12:00:00Z';
const at = (version: string, desired = version): Edit =>
  chain(
    withValue('config/version.json', ['status', 'history'], [{ state: 'Completed', version }]),
    withValue('config/version.json', ['status', 'desired', 'version'], desired),
  );
const upgradeable = (status: string, reason = 'DefaultSecurityContextConstraints_Mutated'): Edit =>
  withCondition('config/clusteroperator/kube-apiserver.json', {
    type: 'Upgradeable',
    status,
    lastTransitionTime: '2020-04-18T10:00:00Z',
    reason,
    message:
      'DefaultSecurityContextConstraintsUpgradeable: Default SecurityContextConstraints object(s) have mutated [anyuid]',
  });
const blocked = upgradeable('False');

export const samples: RuleSamples = {
  rule: bug1821905,
  fires: {
    BUGZILLA_BUG_1821905: [
      {
        title: 'changed constraints on an affected version',
        edit: chain(blocked, at('4.3.11')),
        now,
        details: { desired: '4.3.11' },
        also: ['CVE_2020_8555_KUBERNETES', 'CVE_2021_30465_RUNC_VULN'],
        settles: ['release'],
      },
      { title: 'the first affected version', edit: chain(blocked, at('4.3.8')), now },
      { title: 'the last one', edit: chain(blocked, at('4.3.12')), now },
      {
        title: 'a cluster that is on its way to an affected version',
        edit: chain(blocked, at('4.3.5', '4.3.10')),
        now,
        details: { desired: '4.3.10' },
      },
      {
        title: 'one on its way from an affected version, whatever it is called',
        edit: chain(blocked, at('4.3.10', 'the next one')),
        now,
      },
      {
        title: 'a reason among others',
        edit: chain(upgradeable('False', 'Other::DefaultSecurityContextConstraints_Mutated'), at('4.3.9')),
        now,
      },
    ],
  },
  silent: [
    { title: 'an affected version with its own constraints', edit: at('4.3.11'), now },
    { title: 'changed constraints on the version before', edit: chain(blocked, at('4.3.7')), now },
    { title: 'changed constraints on the version after', edit: chain(blocked, at('4.3.13')), now },
    { title: 'changed constraints on a current version', edit: blocked },
    { title: 'an operator that may be upgraded', edit: chain(upgradeable('True'), at('4.3.11')), now },
    { title: 'another reason', edit: chain(upgradeable('False', 'UnsupportedConfigOverrides'), at('4.3.11')), now },
    {
      title: 'a reason that is no text',
      edit: chain(
        withValue(
          'config/clusteroperator/kube-apiserver.json',
          ['status', 'conditions'],
          [{ type: 'Upgradeable', status: 'False', reason: ['DefaultSecurityContextConstraints_Mutated'] }],
        ),
        at('4.3.11'),
      ),
      now,
    },
  ],
};
