/** Clusters on Azure and elsewhere, on releases in and beside the range. */
import { chain, type Edit, type RuleSamples, withValue } from '../../sample.ts';
import { azureSshNotWork } from './rule.ts';

/** When release 4.4 was supported. */
const now = '2020-07-01T12:00:00Z';
const platform = (type: string): Edit =>
  withValue('config/infrastructure.json', ['status', 'platformStatus', 'type'], type);
const installed = (version: string): Edit =>
  withValue('config/version.json', ['status', 'history'], [{ state: 'Completed', version }]);

export const samples: RuleSamples = {
  rule: azureSshNotWork,
  fires: {
    AZURE_SSH_NOT_WORK: [
      {
        title: 'a release of 4.4 on Azure',
        edit: chain(platform('Azure'), installed('4.4.10')),
        now,
        also: ['CVE_2021_30465_RUNC_VULN'],
        settles: ['release', 'platform'],
        details: { version: '4.4.10' },
      },
      {
        title: 'the release that it was reported of',
        edit: chain(platform('Azure'), installed('4.3.18')),
        now,
        details: { version: '4.3.18' },
      },
    ],
  },
  silent: [
    { title: 'another platform', edit: chain(platform('GCP'), installed('4.4.10')), now },
    { title: 'the release before', edit: chain(platform('Azure'), installed('4.2.36')), now },
    { title: 'the release after', edit: chain(platform('Azure'), installed('4.5.1')), now },
    {
      title: 'a platform that is no text',
      edit: chain(
        installed('4.4.10'),
        withValue('config/infrastructure.json', ['status'], { platformStatus: { type: { Azure: 1 } } }),
      ),
      now,
    },
  ],
};
