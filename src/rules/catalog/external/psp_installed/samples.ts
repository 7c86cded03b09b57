/** Clusters with and without pod security policies. */
import { type Edit, type RuleSamples, withFile } from '../../sample.ts';
import { pspInstalled } from './rule.ts';

const policies = (...names: readonly string[]): Edit => withFile('config/psp_names.json', names);

export const samples: RuleSamples = {
  rule: pspInstalled,
  fires: {
    PSP_INSTALLED: [
      { title: 'a policy', edit: policies('restricted-psp'), details: { psps: ['restricted-psp'] } },
      {
        title: 'several policies, in order and once',
        edit: policies('b', 'a', 'b'),
        details: { psps: ['a', 'b'] },
      },
      {
        title: 'names beside what is none',
        edit: withFile('config/psp_names.json', [null, 7, '', { name: 'x' }, 'x'.repeat(300), 'constructor']),
        details: { psps: ['constructor'] },
      },
    ],
  },
  silent: [
    { title: 'a cluster that has none', edit: policies() },
    { title: 'a list without a name in it', edit: withFile('config/psp_names.json', [null, [], {}]) },
  ],
};
