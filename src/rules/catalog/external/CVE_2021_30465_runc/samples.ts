/** Clusters on releases before and after the fault was mended. */
import { type Edit, type RuleSamples, withValue } from '../../sample.ts';
import { cve202130465Runc } from './rule.ts';

/** When releases 4.6 and 4.7 were supported. */
const now = '2021-06-15T12:00:00Z';
const installed = (version: string): Edit =>
  withValue('config/version.json', ['status', 'history'], [{ state: 'Completed', version }]);

export const samples: RuleSamples = {
  rule: cve202130465Runc,
  fires: {
    CVE_2021_30465_RUNC_VULN: [
      {
        title: 'a release of 4.7 before the fix',
        edit: installed('4.7.11'),
        now,
        settles: ['release'],
        details: { version: '4.7.11' },
      },
      { title: 'a release of 4.6 before the fix', edit: installed('4.6.29'), now, details: { version: '4.6.29' } },
      { title: 'a release of long ago', edit: installed('4.2.36'), now, details: { version: '4.2.36' } },
    ],
  },
  silent: [
    { title: 'the first release of 4.7 with the fix', edit: installed('4.7.12'), now },
    { title: 'the first release of 4.6 with the fix', edit: installed('4.6.30'), now },
    { title: 'the first release of 4.5 with the fix', edit: installed('4.5.40'), now },
    { title: 'a minor release that came with the fix', edit: installed('4.8.2'), now },
    { title: 'a current release', edit: (files) => files },
    { title: 'the community distribution', edit: installed('4.7.0-0.okd-2021-03-28-152009'), now },
  ],
};
