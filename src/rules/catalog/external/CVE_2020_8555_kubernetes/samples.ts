/** Clusters on releases before and after the fault was mended. */
import { type Edit, type RuleSamples, withValue } from '../../sample.ts';
import { cve20208555Kubernetes } from './rule.ts';

/** When release 4.3 was supported. */
const now = '2020-07-15T12:00:00Z';
const installed = (version: string): Edit =>
  withValue('config/version.json', ['status', 'history'], [{ state: 'Completed', version }]);

export const samples: RuleSamples = {
  rule: cve20208555Kubernetes,
  fires: {
    CVE_2020_8555_KUBERNETES: [
      {
        title: 'a release of 4.3 before the fix',
        edit: installed('4.3.21'),
        now,
        also: ['CVE_2021_30465_RUNC_VULN'],
        settles: ['release'],
        details: { version: '4.3.21' },
      },
      { title: 'the last one before the fix', edit: installed('4.3.24'), now, details: { version: '4.3.24' } },
      { title: 'a release that was never mended', edit: installed('4.1.41'), now, details: { version: '4.1.41' } },
    ],
  },
  silent: [
    { title: 'the first release with the fix', edit: installed('4.3.25'), now },
    { title: 'a minor release that came with the fix', edit: installed('4.5.3'), now },
    { title: 'a current release', edit: (files) => files },
    { title: 'the community distribution', edit: installed('4.3.0-0.okd-2020-02-01') },
  ],
};
