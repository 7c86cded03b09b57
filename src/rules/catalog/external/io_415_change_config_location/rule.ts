/** The Insights Operator of 4.15 or later is configured in its old secret only. Source: data-pipeline.md 7.5 (39). */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { isAtLeastMinor } from '../../../engine/semantic-version.ts';

/** These stay in the secret. */
const credentials = new Set(['username', 'password']);

export const io415ChangeConfigLocation = defineRule({
  module: 'ccx_rules_ocp.external.rules.io_415_change_config_location',
  errorKeys: ['IO_415_CHANGE_CONFIG_LOCATION'],
  requires: ['insightsConfig', 'clusterVersion'],
  evaluate({ insightsConfig, clusterVersion }) {
    if (insightsConfig.hasConfigMap || !isAtLeastMinor(clusterVersion.parsed, 15)) return makeNone();
    const hasSettings = insightsConfig.secretKeys.some((key) => !credentials.has(key));
    return hasSettings ? makeFail('IO_415_CHANGE_CONFIG_LOCATION') : makeNone();
  },
});
