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
import type { Bus, OutgoingRecord, Position, Producer } from '../../../../platform/bus/bus.ts';
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
import { createComposer, type MessageSettings } from './compose-messages.ts';

/** A topic that is missing; made, it ends the pause before that. Longer than a one-shot run waits, which leaves it to the next one. */
export const pausedTopicMissingMs = 60_000;

/** How long a send may take until its outcome counts as unknown; the bus goes on trying behind it. */
export const busSendMsMax = 30_000;

/** What is used of a bus; `check` rejects while notifications cannot be sent at all. */
export interface TargetBus extends Pick<Bus, 'check'> {
  createProducer(): Promise<TargetProducer>;
}

type TargetProducer = Pick<Producer, 'sendEach' | 'close'>;

/** The bus stays the caller's; the target closes only its own producer. */
export async function createKafkaTarget(
  settings: MessageSettings & { readonly topic: string },
  { bus, clock }: { readonly bus: TargetBus; readonly clock: Clock },
): Promise<Target> {
  const producer = await bus.createProducer();
  const compose = createComposer(settings);
  const delivery = { topic: settings.topic, producer, clock };
  return {
    name: 'notification-backend',
    eventTargetId: TARGET_NOTIFICATIONS_BACKEND,
    hasRecipient: hasNotificationRecipient,
    compose: async (cluster, context) => compose(cluster, context),
    reissue(notification, context) {
      const message = parseNotificationMessage(notification.body);
      const id = context.uuid();
      const body = serialiseNotificationMessage({ ...message, id, timestamp: notificationTimestamp(context.now) });
      return { ...notification, id, body, headers: { ...notification.headers, [HEADER_MESSAGE_ID]: id } };
    },
    deliver: async (attempt) => (await deliverAll([attempt], delivery))[0]!,
    deliverAll: (attempts) => deliverAll(attempts, delivery),
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
  readonly producer: TargetProducer;
  readonly clock: Clock;
}

/** All in one send; each gets the outcome of its own record. */
async function deliverAll(
  attempts: readonly DeliveryAttempt[],
  { topic, producer, clock }: Delivery,
): Promise<readonly DeliveryResult[]> {
  const results: DeliveryResult[] = [];
  const places: number[] = [];
  const records: OutgoingRecord[] = [];
  for (const [place, { notification, composedHere = false, signal }] of attempts.entries()) {
    const error = composedHere ? undefined : faultOf(notification);
    if (error !== undefined) results[place] = resultOfBusError(error);
    else if (signal.aborted)
      results[place] = { kind: 'retry', error: calledOff('before it began'), afterMs: retryAfterMs };
    else {
      places.push(place);
      records.push({
        topic,
        key: notification.cluster,
        value: notification.body,
        headers: { [HEADER_MESSAGE_ID]: notification.id },
      });
    }
  }
  if (records.length === 0) return results;
  const sending = producer.sendEach(records, (index, outcome) => {
    // A send that was given up may still end; that changes nothing.
    results[places[index]!] ??=
      outcome instanceof Error ? resultOfBusError(outcome) : { kind: 'delivered', detail: placeOf(outcome) };
  });
  // One batch, one signal.
  const { signal } = attempts[0]!;
  const givenUp = await within(sending, { clock, ms: busSendMsMax, signal }, (why) =>
    why === 'late'
      ? deliveryFailure(`no acknowledgement from the bus within ${busSendMsMax} ms`, 'BUS_TIMEOUT')
      : calledOff('while it was under way'),
  );
  if (givenUp === undefined) return results;
  for (const place of places) results[place] ??= { kind: 'unknown', error: givenUp, afterMs: unknownAfterMs };
  return results;
}

function calledOff(when: string): CcxError {
  return deliveryFailure(`the delivery was called off ${when}`, 'DELIVERY_ABORTED');
}

/** The last look before the bytes leave: an outbox row may have been written by another version, or by hand. */
function faultOf(notification: OutgoingNotification): unknown {
  try {
    const message = parseNotificationMessage(notification.body);
    const header = notification.headers[HEADER_MESSAGE_ID];
    if (message.id === notification.id && header === notification.id && isUuid4(notification.id)) return undefined;
  } catch (error) {
    return error;
  }
  return new CcxError('the ids of the notification, its body and its header differ', {
    code: 'NOTIFICATION_INVALID',
    category: 'delivery',
  });
}

function placeOf({ topic, partition, offset }: Position): string {
  return `${topic}/${partition}@${offset}`;
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
