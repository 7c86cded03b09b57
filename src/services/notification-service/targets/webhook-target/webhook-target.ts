/**
 * A webhook of the operator's own: one message per cluster and decision, posted to one address, signed. A repeat has the same id and the
 * same bytes, and a signature of its own moment; who receives it knows it by the id.
 */
import { CcxError } from '../../../../encoding/ccx-error.ts';
import type { Clock } from '../../../../platform/clock/clock.ts';
import type { SecretSource } from '../../../../platform/secrets/secret-source.ts';
import type { DeliveryAttempt, DeliveryResult, ReceiverTarget } from '../../ports.ts';
import { signingKeyBytes, type WebhookSettings } from '../../receivers/receiver-settings.ts';
import type { EventLinks } from '../describe-event.ts';
import { createHttpReceiver } from '../http-receiver.ts';
import { retryAfterMs } from '../retry-after.ts';
import {
  asDeliveryFailure,
  deliveryFailure,
  retryAfterMs as notAcceptedAfterMs,
  pausedMisconfiguredMs,
  pausedUnavailableMs,
  resultOfTransportFailure,
} from '../transport-failure.ts';
import { resultOfStatus } from './classify-answer.ts';
import { createEventComposer, HEADER_WEBHOOK_ID } from './compose-events.ts';
import { signatureHeaders } from './sign.ts';

export function createWebhookTarget(
  settings: WebhookSettings,
  { secrets, clock, ...links }: EventLinks & { readonly secrets: SecretSource; readonly clock: Clock },
): ReceiverTarget {
  const { name, format } = settings;
  const http = createHttpReceiver(settings, secrets);
  const keys = settings.signingKeys.map((request) => secrets.secret(request));
  const signed = async (id: string, body: string) => {
    if (format === 'slack') return {};
    const bytes = keys.map(async (key) => keyOf(key.setting, await key.value()));
    return signatureHeaders({ id, body, now: clock.now(), keys: await Promise.all(bytes) });
  };
  const deliver = async ({ notification, signal }: DeliveryAttempt): Promise<DeliveryResult> => {
    const { id, body, headers } = notification;
    if (signal.aborted) {
      const error = deliveryFailure('the delivery was called off before it began', 'DELIVERY_ABORTED');
      return { kind: 'retry', error, afterMs: notAcceptedAfterMs };
    }
    try {
      const sent = { ...headers, [HEADER_WEBHOOK_ID]: id, ...(await signed(id, body)) };
      const answer = await http.post(body, sent, signal);
      return resultOfStatus(answer.status, retryAfterMs(answer.headers.get('retry-after'), clock.now()));
    } catch (thrown) {
      return resultOfFailure(thrown);
    }
  };
  return {
    name,
    type: format === 'slack' ? 'webhook (slack)' : 'webhook',
    address: http.address,
    hasRecipient: () => true,
    ...createEventComposer({ ...links, name, format }),
    deliver,
    // Nothing can be asked without posting something.
    check: async () => undefined,
    // Whoever started the process may have mended what was wrong; what is gone comes back when somebody says so.
    isOver: async (code, { started }) => started && code !== 'RECEIVER_GONE' && code !== 'RECEIVER_LIMITED',
    close: async () => undefined,
  };
}

function keyOf(setting: string, text: string): Buffer {
  const bytes = signingKeyBytes(text);
  if (bytes !== undefined) return bytes;
  throw new CcxError(`${setting} is no key`, {
    code: 'RECEIVER_KEY',
    category: 'configuration',
    hint: 'write whsec_ and the output of openssl rand -base64 32',
  });
}

/** Secrets, addresses and files fail before anything is posted; an answer that is too large has arrived all the same. */
function resultOfFailure(thrown: unknown): DeliveryResult {
  const error = asDeliveryFailure(thrown, 'the receiver', 'RECEIVER_FAILED');
  if (error.code === 'HTTP_ANSWER_TOO_LARGE') return { kind: 'delivered', detail: 'with an answer that was not read' };
  if (error.category === 'configuration') return { kind: 'paused', error, afterMs: pausedMisconfiguredMs };
  if (!error.code.startsWith('HTTP_') && error.code !== 'RECEIVER_FAILED')
    return { kind: 'paused', error, afterMs: pausedUnavailableMs };
  return resultOfTransportFailure(error);
}
