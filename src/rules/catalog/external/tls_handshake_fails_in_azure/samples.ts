/** Clusters on Azure and elsewhere, with OpenShift SDN and without, on releases in and beside the range. */
import { chain, type Edit, type RuleSamples, withValue } from '../../sample.ts';
import { tlsHandshakeFailsInAzure } from './rule.ts';

/** When release 4.5 was supported. */
const now = '2021-05-01T12:00:00Z';
const platform = (type: string): Edit =>
  withValue('config/infrastructure.json', ['status', 'platformStatus', 'type'], type);
const network = (type: string): Edit => withValue('config/network.json', ['spec', 'networkType'], type);
const installed = (version: string): Edit =>
  withValue('config/version.json', ['status', 'history'], [{ state: 'Completed', version }]);
const azure = chain(platform('Azure'), network('OpenShiftSDN'));

export const samples: RuleSamples = {
  rule: tlsHandshakeFailsInAzure,
  fires: {
    TLS_HANDSHAKE_FAILS_IN_AZURE: [
      {
        title: 'OpenShift SDN on Azure in a late release of 4.5',
        edit: chain(azure, installed('4.5.41')),
        now,
        settles: ['release', 'platform', 'network'],
        details: { version: '4.5.41' },
      },
      { title: 'the first of them', edit: chain(azure, installed('4.5.1')), now, details: { version: '4.5.1' } },
    ],
  },
  silent: [
    { title: 'another platform', edit: chain(azure, platform('AWS'), installed('4.5.3')), now },
    { title: 'another network plug-in', edit: chain(azure, network('OVNKubernetes'), installed('4.5.3')), now },
    { title: 'the release before', edit: chain(azure, installed('4.4.33')), now },
    { title: 'the release after', edit: chain(azure, installed('4.6.1')), now },
    {
      title: 'a platform that is no text',
      edit: chain(
        azure,
        installed('4.5.3'),
        withValue('config/infrastructure.json', ['status'], { platformStatus: { type: ['Azure'] } }),
      ),
      now,
    },
  ],
};
