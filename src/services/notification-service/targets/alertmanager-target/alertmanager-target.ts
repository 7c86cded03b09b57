/**
 * Alertmanagers of the operator's own, all of which get the same. What is active is posted in rounds (`alerts/`); of messages, which other
 * receivers get, there are none but that of `ccx receivers test`.
 */
import type { PostableAlert } from '../../../../contracts/alertmanager.ts';
import { CcxError } from '../../../../encoding/ccx-error.ts';
import type { SecretSource } from '../../../../platform/secrets/secret-source.ts';
import type { DeliveryResult, PostAnswer, ReceiverTarget } from '../../ports.ts';
import { type AlertmanagerSettings, addressesFault, addressesOf } from '../../receivers/alertmanager-settings.ts';
import { createHttpCaller } from '../http-receiver.ts';
import { asDeliveryFailure, pausedMisconfiguredMs, retryAfterMs } from '../transport-failure.ts';
import { createAlertMember } from './alertmanager-api.ts';
import { testAlert } from './compose-alert.ts';

export function createAlertmanagerTarget(
  settings: AlertmanagerSettings,
  { secrets, ruleDetailsUri }: { readonly secrets: SecretSource; readonly ruleDetailsUri: string },
): ReceiverTarget {
  const { name, intervalMs, resolveAfterMs, endsAlerts, url } = settings;
  const caller = createHttpCaller(settings, secrets);
  const members = async () => {
    const addresses = addressesOf(await caller.url());
    const fault = addressesFault(addresses);
    if (fault !== undefined)
      throw new CcxError(`${url.setting} ${fault.message}`, {
        code: 'RECEIVER_URL',
        category: 'configuration',
        hint: fault.hint,
      });
    return addresses.map((address) => createAlertMember(address, caller));
  };
  return {
    name,
    type: 'alertmanager',
    address: addressesOf(url.configured).map(caller.addressOf).join(', '),
    alerts: { intervalMs, resolveAfterMs, endsAlerts, ruleDetailsUri, members },
    hasRecipient: () => true,
    compose: async () => [],
    composeTest(context) {
      const alert = testAlert(context);
      const body = JSON.stringify([alert]);
      const { notification_id: id } = alert.annotations;
      return { id, target: name, cluster: alert.labels.cluster_id, issues: [], body, headers: {} };
    },
    reissue: (notification) => notification,
    async deliver({ notification, signal }) {
      try {
        const alerts = JSON.parse(notification.body) as PostableAlert[];
        const answers = (await members()).map(async (member) => ({
          member,
          answer: await member.post(alerts, signal),
        }));
        return resultOf(await Promise.all(answers));
      } catch (thrown) {
        const error = asDeliveryFailure(thrown, 'the receiver', 'RECEIVER_FAILED');
        return { kind: 'paused', error, afterMs: pausedMisconfiguredMs };
      }
    },
    check: async () => undefined,
    isOver: async (_code, { started }) => started,
    close: async () => undefined,
  };
}

/** One that did not take it is named, however many did. */
function resultOf(
  answers: readonly { readonly member: { readonly address: string }; readonly answer: PostAnswer }[],
): DeliveryResult {
  const failed = answers.find(({ answer }) => answer.kind !== 'taken');
  if (failed === undefined)
    return { kind: 'delivered', detail: `an alert that ends in five minutes, at ${answers.length}` };
  const { member, answer } = failed;
  if (answer.kind === 'failed') {
    const { message, code, category, hint, cause } = answer.error;
    const error = new CcxError(`${member.address}: ${message}`, { code, category, hint, cause, retryable: true });
    return { kind: 'retry', error, afterMs: retryAfterMs };
  }
  const detail = answer.kind === 'refused' ? answer.detail : '';
  const error = new CcxError(`${member.address} refuses the alert: ${detail}`, {
    code: 'ALERTS_REFUSED',
    category: 'delivery',
    hint: 'its url has to be the address of an Alertmanager with API v2',
  });
  return { kind: 'rejected', error };
}
