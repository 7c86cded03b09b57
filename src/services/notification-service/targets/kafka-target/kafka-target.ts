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
import { within } from '../../../../platform/clock/deadline.ts';
import type { DeliveryAttempt, DeliveryResult, OutgoingNotification, Target } from '../../ports.ts';
import {
  asDeliveryFailure,
  deliveryFailure,
  pausedMisconfiguredMs,
  resultOfTransportFailure,
  retryAfterMs,
  unknownAfterMs,
} from '../transport-failure.ts';
import { composeMessages, type MessageSettings } from './compose-messages.ts';

/** A topic that is missing; made, it ends the pause before that. Longer than a one-shot run waits, which leaves it to the next one. */
export const pausedTopicMissingMs = 60_000;

/** How long a send may take until its outcome counts as unknown; the bus goes on trying behind it. */
export const busSendMsMax = 30_000;

/** What is used of a bus; `check` rejects while notifications cannot be sent at all. */
export type TargetBus = Pick<Bus, 'createProducer' | 'check'>;

/** The bus stays the caller's; the target closes only its own producer. */
export async function createKafkaTarget(
  settings: MessageSettings & { readonly topic: string },
  { bus, clock }: { readonly bus: TargetBus; readonly clock: Clock },
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
    const error = deliveryFailure('the delivery was called off before it began', 'DELIVERY_ABORTED');
    return { kind: 'retry', error, afterMs: retryAfterMs };
  }
  const sending = delivery.producer.send([
    {
      topic: delivery.topic,
      key: notification.cluster,
      value: notification.body,
      headers: { [HEADER_MESSAGE_ID]: notification.id },
    },
  ]);
  try {
    // A send that was given up may still fail later; that changes nothing.
    const answer = await within(sending, { clock: delivery.clock, ms: busSendMsMax, signal }, (why) =>
      why === 'late'
        ? deliveryFailure(`no acknowledgement from the bus within ${busSendMsMax} ms`, 'BUS_TIMEOUT')
        : deliveryFailure('the delivery was called off while it was under way', 'DELIVERY_ABORTED'),
    );
    if (answer instanceof CcxError) return { kind: 'unknown', error: answer, afterMs: unknownAfterMs };
    return { kind: 'delivered', detail: placeOf(answer) };
  } catch (error) {
    return resultOfBusError(error);
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

/** The message itself is at fault, whatever the state of the bus. */
const rejectedCodes = new Set(['BUS_RECORD_TOO_LARGE', 'BUS_RECORD_REFUSED', 'BUS_INVALID', 'NOTIFICATION_INVALID']);

export function resultOfBusError(thrown: unknown): DeliveryResult {
  const error = asDeliveryFailure(thrown, 'the bus', 'BUS_FAILED');
  if (rejectedCodes.has(error.code)) return { kind: 'rejected', error };
  // Topic missing or forbidden, login or certificate refused: the same for every message, whatever cluster it is about.
  if (error.category === 'configuration') {
    const afterMs = error.code === 'BUS_TOPIC_UNKNOWN' ? pausedTopicMissingMs : pausedMisconfiguredMs;
    return { kind: 'paused', error, afterMs };
  }
  // Closed under us: nothing was handed to it.
  if (error.code === 'BUS_CLOSED') return { kind: 'retry', error, afterMs: retryAfterMs };
  return resultOfTransportFailure(error);
}
