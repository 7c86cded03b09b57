/** Installations of SAP Data Intelligence that make backups, and some that do not. */
import type { JsonValue } from '../../../../encoding/json-text.ts';
import { chain, type Edit, type RuleSamples, withFile, withValue } from '../../sample.ts';
import { dataHubFile, withDataIntelligence } from '../../sap-data-intelligence.ts';
import { sapSdiBackupNotEnabled } from './rule.ts';

const schedule = (value: JsonValue): Edit =>
  chain(withDataIntelligence, withValue(dataHubFile, ['spec', 'backupCronSchedule'], value));

export const samples: RuleSamples = {
  rule: sapSdiBackupNotEnabled,
  fires: {
    SAP_SDI_BACKUP_NOT_ENABLED: [
      { title: 'a schedule that is empty', edit: schedule(''), details: {} },
      { title: 'a schedule of blanks', edit: schedule('  '), details: {} },
      {
        title: 'an installation without a schedule',
        edit: chain(withDataIntelligence, withValue(dataHubFile, ['spec'], { clusterID: 'x' })),
        details: {},
      },
      { title: 'a schedule that is no text', edit: schedule({ every: 'day' }), details: {} },
      {
        title: 'one of two installations',
        edit: chain(
          withDataIntelligence,
          withFile('customresources/installers.datahub.sap.com/datahubs/di-2/default.json', {
            metadata: { name: 'default' },
          }),
        ),
        details: {},
      },
    ],
  },
  silent: [
    { title: 'backups every night', edit: withDataIntelligence },
    {
      title: 'a file that is no installation',
      edit: chain(
        withDataIntelligence,
        withFile('customresources/installers.datahub.sap.com/datahubs/sdi/more/x.json', { metadata: { name: 'x' } }),
      ),
    },
  ],
};
