/** Clusters with and without a proxy on releases before, in and after the range. */
import { chain, type Edit, type RuleSamples, withValue } from '../../sample.ts';
import { bug1766907 } from './rule.ts';

/** When release 4.2 was supported. */
const now = '2020-02-01T12:00:00Z';
const installed = (version: string): Edit =>
  withValue('config/version.json', ['status', 'history'], [{ state: 'Completed', version }]);
const proxy: Edit = withValue('config/proxy.json', ['spec'], { httpProxy: 'http://proxy.example.com:3128' });
const settles = ['release'];

export const samples: RuleSamples = {
  rule: bug1766907,
  fires: {
    BUGZILLA_BUG_1766907: [
      {
        title: 'a proxy and the first affected version',
        edit: chain(proxy, installed('4.2.0')),
        now,
        also: ['CVE_2021_30465_RUNC_VULN'],
        settles,
        details: {},
      },
      { title: 'a late patch release', edit: chain(proxy, installed('4.2.36')), now },
      {
        title: 'a proxy that only the status names',
        edit: chain(withValue('config/proxy.json', ['status'], { httpsProxy: 'http://p:1' }), installed('4.2.9')),
        now,
      },
    ],
  },
  silent: [
    { title: 'an affected version without a proxy', edit: installed('4.2.9'), now },
    { title: 'a proxy and a version before', edit: chain(proxy, installed('4.1.41')), now },
    { title: 'a proxy and the first version with the fix', edit: chain(proxy, installed('4.3.0')), now },
    { title: 'a proxy and a current version', edit: proxy },
    {
      title: 'a proxy that is no text',
      edit: chain(withValue('config/proxy.json', ['spec'], { httpProxy: 3128, httpsProxy: [] }), installed('4.2.9')),
      now,
    },
  ],
};
