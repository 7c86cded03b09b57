/** Clusters on releases with Extended Update Support before, near and past the end of its first term. */
import { type Edit, type RuleSamples, withValue } from '../../sample.ts';
import { ocpVersionEndOfLifeEus } from './rule.ts';

const installed = (version: string): Edit =>
  withValue('config/version.json', ['status', 'history'], [{ state: 'Completed', version }]);

/** Maintenance of 4.14 ends on 2025-05-01, its extended support on 2025-10-31. */
const details = { version: '4.14.20', eol_date: '2025-10-31' };

export const samples: RuleSamples = {
  rule: ocpVersionEndOfLifeEus,
  fires: {
    OCP4X_EUS_BEYOND_EOL: [
      { title: 'a release past its extended support', edit: installed('4.14.20'), details, settles: ['release'] },
      {
        title: 'the first moment after its last day',
        edit: installed('4.14.20'),
        now: '2025-11-01T00:00:00Z',
        details,
      },
    ],
    OCP4X_EUS_EOL_APPROACHING: [
      {
        title: 'a release one month before',
        edit: installed('4.14.20'),
        now: '2025-10-01T06:00:00Z',
        details,
        settles: ['release'],
      },
      { title: 'its last moment', edit: installed('4.14.20'), now: '2025-10-31T23:59:59Z', details },
    ],
  },
  silent: [
    { title: 'a release whose maintenance alone is over', edit: installed('4.14.20'), now: '2025-06-01T00:00:00Z' },
    { title: 'a release without Extended Update Support', edit: installed('4.15.37') },
    { title: 'a release that the table does not know', edit: installed('4.98.1') },
    { title: 'the community distribution', edit: installed('4.14.0-0.okd-2023-11-12-042703') },
  ],
};
