/**
 * Target 1, the notifications backend: one message per cluster on `platform.notifications.ingress`, over whichever bus the service runs
 * on. A repeat has the same id and the same bytes, so the backend can tell; it forgets ids after a day. The backend answers nothing, so
 * what is delivered here is what the bus has acknowledged.
 */

import { isUuid4 } from '../../../../contracts/identifiers.ts';
import {
  hasNotificationRecipient,
  notificationTimestamp,
  parseNotificationMessage,
  serialiseNotificationMessage,
} from '../../../../contracts/notification-message.ts';
import { TARGET_NOTIFICATIONS_BACKEND } from '../../../../contracts/tables.ts';
import { HEADER_MESSAGE_ID } from '../../../../contracts/topics.ts';
import { CcxError } from '../../../../encoding/ccx-error.ts';
import type { Bus, Position, Producer } from '../../../../platform/bus/bus.ts';
import type { Clock } from '../../../../platform/clock/clock.ts';
import type { DeliveryAttempt, DeliveryResult, OutgoingNotification, Target } from '../../ports.ts';
import { busSendMsMax, retryAfterMs, unknownAfterMs } from '../limits.ts';
import { composeMessages, type MessageSettings } from './compose-messages.ts';
import { resultOfBusError } from './result-of-bus-error.ts';

export interface KafkaTargetSettings extends MessageSettings {
  readonly topic: string;
}

export interface KafkaTargetDependencies {
  /** Stays the caller's; the target closes only its own producer. */
  readonly bus: Pick<Bus, 'createProducer' | 'check'>;
  readonly clock: Clock;
}

export async function createKafkaTarget(
  settings: KafkaTargetSettings,
  { bus, clock }: KafkaTargetDependencies,
): Promise<Target> {
  const producer = await bus.createProducer();
  return {
    name: 'notification-backend',
    eventTargetId: TARGET_NOTIFICATIONS_BACKEND,
    hasRecipient: hasNotificationRecipient,
    compose: async (cluster, context) => composeMessages(cluster, settings, context),
    reissue(notification, context) {
      const message = parseNotificationMessage(notification.body);
      const id = context.uuid();
      const body = serialiseNotificationMessage({ ...message, id, timestamp: notificationTimestamp(context.now) });
      return { ...notification, id, body, headers: { ...notification.headers, [HEADER_MESSAGE_ID]: id } };
    },
    deliver: (attempt) => deliver(attempt, { topic: settings.topic, producer, clock }),
    check: () => bus.check(),
    isOver: (pauseCode, { started }) =>
      bus.check().then(
        () => started || !onlyBySending.has(pauseCode),
        () => false,
      ),
    close: () => producer.close(),
  };
}

/** Who may look a topic up need not be one who may write to it. */
const onlyBySending: ReadonlySet<string> = new Set(['BUS_TOPIC_PERMISSION']);

interface Delivery {
  readonly topic: string;
  readonly producer: Producer;
  readonly clock: Clock;
}

async function deliver({ notification, signal }: DeliveryAttempt, delivery: Delivery): Promise<DeliveryResult> {
  try {
    checkIds(notification);
  } catch (error) {
    return resultOfBusError(error);
  }
  if (signal.aborted) {
    const error = failure('the delivery was called off before it began', 'DELIVERY_ABORTED');
    return { kind: 'retry', error, afterMs: retryAfterMs };
  }
  const patience = new AbortController();
  const sending = delivery.producer.send([
    {
      topic: delivery.topic,
      key: notification.cluster,
      value: notification.body,
      headers: { [HEADER_MESSAGE_ID]: notification.id },
    },
  ]);
  const givenUp = delivery.clock.sleep(busSendMsMax, AbortSignal.any([signal, patience.signal])).then(
    () => failure(`no acknowledgement from the bus within ${busSendMsMax} ms`, 'BUS_TIMEOUT'),
    () => failure('the delivery was called off while it was under way', 'DELIVERY_ABORTED'),
  );
  try {
    const outcome = await Promise.race([sending, givenUp]);
    if (outcome instanceof CcxError) return { kind: 'unknown', error: outcome, afterMs: unknownAfterMs };
    return { kind: 'delivered', detail: placeOf(outcome) };
  } catch (error) {
    return resultOfBusError(error);
  } finally {
    patience.abort();
    // A send that was given up may still fail later; that is no news.
    sending.catch(() => undefined);
  }
}

/** The last look before the bytes leave: an outbox row may have been written by another version, or by hand. */
function checkIds(notification: OutgoingNotification): void {
  const message = parseNotificationMessage(notification.body);
  const header = notification.headers[HEADER_MESSAGE_ID];
  if (message.id === notification.id && header === notification.id && isUuid4(notification.id)) return;
  throw new CcxError('the ids of the notification, its body and its header differ', {
    code: 'NOTIFICATION_INVALID',
    category: 'delivery',
  });
}

function placeOf(positions: readonly Position[]): string {
  return positions.map(({ topic, partition, offset }) => `${topic}/${partition}@${offset}`).join(', ');
}

function failure(message: string, code: string): CcxError {
  return new CcxError(message, { code, category: 'delivery', retryable: true });
}
