/** An installation of SAP Data Intelligence makes no backups. Source: data-pipeline.md 7.5 (28). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

export const sapSdiBackupNotEnabled = defineRule({
  module: 'ccx_rules_ocp.external.rules.sap_sdi_backup_not_enabled',
  errorKeys: ['SAP_SDI_BACKUP_NOT_ENABLED'],
  requires: ['sapDataHubs'],
  links: { jira: ['https://issues.redhat.com/browse/INSIGHTOCP-474'] },
  evaluate({ sapDataHubs }) {
    const isEnabled = sapDataHubs.every(({ backupSchedule }) => backupSchedule.trim() !== '');
    return isEnabled ? makeNone() : makeFail('SAP_SDI_BACKUP_NOT_ENABLED');
  },
});
