/** Clusters of the product and of the community distribution. */
import { type Edit, type RuleSamples, withValue } from '../../sample.ts';
import { okdClusterUnsupported } from './rule.ts';

const installed = (...history: readonly string[]): Edit =>
  withValue(
    'config/version.json',
    ['status', 'history'],
    history.map((version) => ({ state: 'Completed', version })),
  );

export const samples: RuleSamples = {
  rule: okdClusterUnsupported,
  fires: {
    OKD_CLUSTER_UNSUPPORTED: [
      {
        title: 'OKD on CentOS Stream',
        edit: installed('4.20.0-okd-scos.11'),
        settles: ['release'],
        details: { version: '4.20.0-okd-scos.11' },
      },
      {
        title: 'OKD on Fedora',
        edit: installed('4.15.0-0.okd-2024-03-10-010116'),
        details: { version: '4.15.0-0.okd-2024-03-10-010116' },
      },
      { title: 'its name in capitals', edit: installed('4.19.0-0.OKD'), details: { version: '4.19.0-0.OKD' } },
    ],
  },
  silent: [
    { title: 'a release of the product', edit: installed('4.20.3') },
    { title: 'a release candidate of it', edit: installed('4.20.0-rc.3') },
    { title: 'a cluster that was OKD once, which cannot be', edit: installed('4.20.3', '4.15.0-0.okd-2024') },
  ],
};
