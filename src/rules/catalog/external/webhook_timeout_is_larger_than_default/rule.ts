/** An admission webhook of a third party may hold up API requests for long. Source: data-pipeline.md 7.5 (37). */
import type { Webhook } from '../../../engine/facts/webhooks.ts';
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

export const webhookTimeoutIsLargerThanDefault = defineRule({
  module: 'ccx_rules_ocp.external.rules.webhook_timeout_is_larger_than_default',
  errorKeys: ['WEBHOOK_TIMEOUT_IS_LARGER_THAN_DEFAULT'],
  requires: ['slowWebhooks'],
  evaluate({ slowWebhooks }, { settings }) {
    const slow = slowWebhooks.filter(
      (webhook) => webhook.timeoutSeconds * 1_000 > settings.webhookMsMax && !isOpenShifts(webhook),
    );
    if (slow.length === 0) return makeNone();
    return makeFail('WEBHOOK_TIMEOUT_IS_LARGER_THAN_DEFAULT', {
      webhooks: slow.map((webhook) => ({
        name: webhook.configuration,
        webhook: webhook.name,
        timeoutSeconds: webhook.timeoutSeconds,
      })),
    });
  },
});

/** What the platform brings along is not the owner's to change; some of it calls a local URL instead of a service. */
function isOpenShifts(webhook: Webhook): boolean {
  if (webhook.serviceNamespace !== undefined) return webhook.serviceNamespace.startsWith('openshift-');
  return webhook.configuration.endsWith('.openshift.io');
}
