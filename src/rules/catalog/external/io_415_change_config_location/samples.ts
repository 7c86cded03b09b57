/** Clusters whose Insights Operator is configured in the new place, in the old one and in both. */
import type { JsonValue } from '../../../../encoding/json-text.ts';
import { chain, type Edit, type RuleSamples, withFile, withoutFiles, withValue } from '../../sample.ts';
import { io415ChangeConfigLocation } from './rule.ts';

const secret = (content: JsonValue): Edit => withFile('config/secrets/openshift-config/support/data.json', content);
const noConfigMap = withoutFiles('config/configmaps/openshift-insights');
const version = (value: string): Edit =>
  withValue('config/version.json', ['status', 'history'], [{ state: 'Completed', version: value }]);

export const samples: RuleSamples = {
  rule: io415ChangeConfigLocation,
  fires: {
    IO_415_CHANGE_CONFIG_LOCATION: [
      {
        title: 'settings in the secret alone',
        edit: chain(noConfigMap, secret({ interval: 'MWg=', username: 'eA==' })),
        settles: ['release'],
        details: {},
      },
      {
        title: 'the first release with the config map',
        edit: chain(noConfigMap, secret({ endpoint: '' }), version('4.15.0-rc.1')),
        details: {},
      },
    ],
  },
  silent: [
    { title: 'settings in both places', edit: secret({ interval: 'MWg=' }) },
    {
      title: 'a secret with nothing but credentials',
      edit: chain(noConfigMap, secret({ username: 'eA==', password: 'eA==' })),
    },
    { title: 'an empty secret', edit: chain(noConfigMap, secret({})) },
    {
      title: 'a release that has only the secret',
      edit: chain(noConfigMap, secret({ interval: 'MWg=' }), version('4.14.30')),
    },
    {
      title: 'a key that is longer than any',
      edit: chain(noConfigMap, secret({ ['k'.repeat(254)]: '', username: 7 })),
    },
  ],
};
