/** It fires on any cluster; there is none about which it is silent. */
import { type RuleSamples, withoutFiles } from '../../sample.ts';
import { tutorialRule } from './rule.ts';

export const samples: RuleSamples = {
  rule: tutorialRule,
  fires: {
    TUTORIAL_ERROR: [
      { title: 'a healthy cluster', edit: (files) => files, details: {} },
      {
        title: 'an archive that holds next to nothing',
        edit: withoutFiles('config', 'insights-operator'),
        details: {},
      },
    ],
  },
  silent: [],
};
