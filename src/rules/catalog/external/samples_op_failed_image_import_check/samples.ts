/** Clusters whose sample images were imported or not. */
import { messageCharactersMax } from '../../../engine/rule.ts';
import { type Edit, type RuleSamples, withCondition, withFile, withValue } from '../../sample.ts';
import { samplesOpFailedImageImportCheck } from './rule.ts';

const path = 'config/clusteroperator/openshift-samples.json';
const since = '2026-11-20T22:20:58Z';
const said = 'Samples installed at 4.20.3, with image import failures for these imagestreams: ruby';
const degraded = (reason: string, message: string, status = 'True'): Edit =>
  withCondition(path, { type: 'Degraded', status, lastTransitionTime: since, reason, message });
const info = { name: 'openshift-samples', condition: 'Degraded', lastTransitionTime: since };

export const samples: RuleSamples = {
  rule: samplesOpFailedImageImportCheck,
  fires: {
    SAMPLES_FAILED_IMAGE_IMPORT_ERR: [
      {
        title: 'an operator whose reason is that imports failed',
        edit: degraded('FailedImageImports', 'Samples installed at 4.20.3, but some could not be fetched'),
        also: ['OPERATOR_ISSUE'],
      },
      {
        title: 'one that only its message tells of',
        edit: degraded('', said),
        details: { info: { ...info, reason: '', message: said } },
      },
      {
        title: 'a message that is too long, cut',
        edit: degraded('FailedImageImports', said.padEnd(messageCharactersMax + 1, ' x')),
        details: {
          info: {
            ...info,
            reason: 'FailedImageImports',
            message: `${said.padEnd(messageCharactersMax + 1, ' x').slice(0, messageCharactersMax - 1)}…`,
          },
        },
      },
      {
        title: 'a condition without a time or a message',
        edit: withValue(
          path,
          ['status', 'conditions'],
          [{ type: 'Degraded', status: 'True', reason: 'FailedImageImports' }],
        ),
        details: { info: { ...info, reason: 'FailedImageImports', message: '', lastTransitionTime: null } },
      },
    ],
  },
  silent: [
    { title: 'an operator that is well', edit: (files) => files },
    { title: 'failures that are over', edit: degraded('FailedImageImports', said, 'False') },
    {
      title: 'an operator that is degraded for another reason',
      edit: degraded('APIServerServiceUnavailableError', 'away'),
    },
    {
      title: 'another operator that says so',
      edit: withCondition('config/clusteroperator/console.json', { type: 'Degraded', status: 'True', message: said }),
    },
    {
      title: 'a message that is no text',
      edit: withFile(path, {
        metadata: { name: 'openshift-samples' },
        status: { conditions: [{ type: 'Degraded', status: 'True', message: [said], reason: 7 }] },
      }),
    },
  ],
};
