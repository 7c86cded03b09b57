/** Recording rules fail since a series is there twice. Source: data-pipeline.md 7.5 (18); versions are in affected-versions.yaml. */
import { cutText, defineRule, makeFail, makeNone, messageCharactersMax } from '../../../engine/rule.ts';
import { isAffected } from '../../affected-versions.ts';

const messagesMax = 5;

export const prometheusRuleEvaluationFail = defineRule({
  module: 'ccx_rules_ocp.external.rules.prometheus_rule_evaluation_fail',
  errorKeys: ['PROMETHEUS_RULE_EVALUATION_FAIL'],
  requires: ['clusterVersion', 'prometheusComplaints'],
  links: { bz: ['https://bugzilla.redhat.com/show_bug.cgi?id=1903464'] },
  mark: 'provisional',
  evaluate({ clusterVersion, prometheusComplaints }, { settings }) {
    const isHit =
      prometheusComplaints.length > 0 && isAffected('prometheus_rule_evaluation_fail', clusterVersion.parsed, settings);
    if (!isHit) return makeNone();
    return makeFail('PROMETHEUS_RULE_EVALUATION_FAIL', {
      messages: prometheusComplaints
        .slice(0, messagesMax)
        .map((line) => cutText(line, messageCharactersMax / messagesMax)),
    });
  },
});
