/** Clusters on releases before, near and past their end of life. */
import { type Edit, type RuleSamples, withValue } from '../../sample.ts';
import { ocpVersionEndOfLife } from './rule.ts';

const installed = (version: string): Edit =>
  withValue('config/version.json', ['status', 'history'], [{ state: 'Completed', version }]);

/** Release 4.15 is supported up to and including 2025-08-27. */
const details = { version: '4.15.37', eol_date: '2025-08-27' };

export const samples: RuleSamples = {
  rule: ocpVersionEndOfLife,
  fires: {
    OCP4X_BEYOND_EOL: [
      { title: 'a release past its end', edit: installed('4.15.37'), details, settles: ['release'] },
      {
        title: 'the first moment after its last day',
        edit: installed('4.15.37'),
        now: '2025-08-28T00:00:00Z',
        details,
      },
      {
        title: 'a release candidate of an ended release',
        edit: installed('4.17.0-rc.0'),
        details: { version: '4.17.0-rc.0', eol_date: '2026-04-01' },
      },
    ],
    OCP4X_EOL_APPROACHING: [
      {
        title: 'a release one month before its end',
        edit: installed('4.15.37'),
        now: '2025-07-28T06:00:00Z',
        details,
        settles: ['release'],
      },
      { title: 'its last moment', edit: installed('4.15.37'), now: '2025-08-27T23:59:59Z', details },
      { title: 'sixty days before', edit: installed('4.15.37'), now: '2025-06-29T00:00:00Z', details },
    ],
  },
  silent: [
    { title: 'more than sixty days before', edit: installed('4.15.37'), now: '2025-06-28T23:59:59Z' },
    { title: 'a release that the table does not know', edit: installed('4.99.1') },
    { title: 'a release with Extended Update Support, which another rule tells about', edit: installed('4.16.3') },
    { title: 'the community distribution', edit: installed('4.15.0-0.okd-2024-03-10-010116') },
  ],
};
