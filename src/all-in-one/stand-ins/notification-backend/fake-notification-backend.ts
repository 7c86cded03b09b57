/**
 * A stand-in for the notifications backend: takes messages from the bus as a consumer group of its own, checks them as strictly as anybody
 * is known to, recognises repeats, and keeps the mails it would have sent. Used by the all-in-one demonstration and by tests. Like the
 * hosted one it gives no feedback to the producer and takes every message off the topic; unlike it, it says why it dropped one.
 */

import {
  NOTIFICATION_APPLICATION,
  NOTIFICATION_BUNDLE,
  NOTIFICATION_EVENT_TYPE,
} from '../../../contracts/notification-message.ts';
import { HEADER_MESSAGE_ID, TOPIC_NOTIFICATIONS } from '../../../contracts/topics.ts';
import { isJsonObject } from '../../../encoding/json-text.ts';
import { type Bus, type BusRecord, type Consumer, headerText } from '../../../platform/bus/bus.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import { openRecordFile, type RecordFile, recordsMax } from '../record-file.ts';
import { createDeduplicator, type Deduplicator, messageIdOf } from './deduplicator.ts';
import { RefusedMessage, readAction } from './read-action.ts';
import { type Mail, renderMail } from './render-mail.ts';

/** One poll of the bus by the notification backend. */
const pollRecordsMax = 100;
const pollWaitMs = 500;
/** Pause after the bus failed. */
const pollRetryMs = 1000;

/** The hosted engine's consumer group. */
const consumerGroup = 'integrations';
/** As the hosted topic has. */
const topicPartitions = 3;

interface FakeNotificationBackendOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  /** Default `platform.notifications.ingress`. */
  readonly topic?: string;
  /** Keeps what was received across restarts; absent: in memory only. */
  readonly file?: string;
  /** Told of every message, after it is kept. */
  readonly onReceived?: (received: ReceivedNotification) => void;
  /** The bus or the file failed; it is tried again. */
  readonly onTrouble?: (error: unknown) => void;
  /** Of the file, in one sentence. */
  readonly onFileTrouble?: ((text: string) => void) | undefined;
}

export interface ReceivedNotification {
  readonly outcome: 'mailed' | 'duplicate' | 'refused';
  /** Why it was refused, or what is odd about one that was not. */
  readonly note: string | undefined;
  readonly id: string | undefined;
  readonly mail: Mail | undefined;
  readonly receivedAt: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key: string | undefined;
  /** The bytes of the value as UTF-8. */
  readonly body: string;
}

/** What a file holds may be anything. */
function isReceived(document: unknown): boolean {
  if (!isJsonObject(document)) return false;
  const { outcome, mail, receivedAt, partition } = document;
  const isText = (name: 'topic' | 'offset' | 'body') => typeof document[name] === 'string';
  if (!isText('topic') || !isText('offset') || !isText('body') || typeof partition !== 'number') return false;
  if (typeof receivedAt !== 'string' || Number.isNaN(Date.parse(receivedAt))) return false;
  return outcome === 'mailed' ? isJsonObject(mail) : outcome === 'duplicate' || outcome === 'refused';
}

export interface FakeNotificationBackend {
  /** What was mailed, in order of arrival. */
  notifications(): readonly ReceivedNotification[];
  /** Everything that arrived, repeats and refused messages too. */
  received(): readonly ReceivedNotification[];
  /** True when everything on the topic has been taken. */
  idle(): Promise<boolean>;
  stop(): Promise<void>;
}

export async function startFakeNotificationBackend(
  options: FakeNotificationBackendOptions,
): Promise<FakeNotificationBackend> {
  const { bus, clock, file } = options;
  const topic = options.topic ?? TOPIC_NOTIFICATIONS;
  const records = await openRecordFile<ReceivedNotification>({
    path: file,
    itemsMax: recordsMax,
    isItem: isReceived,
    onTrouble: options.onFileTrouble,
  });
  await bus.admin.ensureTopics([{ name: topic, partitions: topicPartitions }]);
  const consumer = await bus.createConsumer({ groupId: consumerGroup, topics: [topic], startAt: 'earliest' });
  const stopping = new AbortController();
  const receive = createReceiver(records, clock, options.onReceived);
  const running = consume(consumer, receive, stopping.signal, options);
  return {
    notifications: () => records.items().filter(({ outcome }) => outcome === 'mailed'),
    received: () => records.items(),
    async idle() {
      const lags = await bus.admin.lag(consumerGroup, [topic]);
      return lags.every(({ committed, start, end }) => (committed ?? start) >= end);
    },
    async stop() {
      stopping.abort();
      await running;
      await consumer.close();
      await records.close();
    },
  };
}

/** Commits what is kept. After a failure the same records are taken again; those that are kept already are passed over. */
async function consume(
  consumer: Consumer,
  receive: Receive,
  signal: AbortSignal,
  { clock, onTrouble }: FakeNotificationBackendOptions,
): Promise<void> {
  let pending: readonly BusRecord[] = [];
  while (!signal.aborted) {
    try {
      if (pending.length === 0)
        pending = await consumer.poll({ recordsMax: pollRecordsMax, waitMs: pollWaitMs, signal });
      for (const record of pending) await receive(record);
      if (pending.length > 0) await consumer.commit(positionsAfter(pending));
      pending = [];
    } catch (error) {
      if (signal.aborted) return;
      onTrouble?.(error);
      // A partition that somebody else has now cannot be committed by us, now or later.
      if (error instanceof Error && 'code' in error && error.code === 'BUS_FENCED') pending = [];
      await clock.sleep(pollRetryMs, signal).catch(() => undefined);
    }
  }
}

function positionsAfter(records: readonly BusRecord[]) {
  const last = new Map(records.map((record) => [record.partition, record]));
  return [...last.values()].map(({ topic, partition, offset }) => ({ topic, partition, offset: offset + 1n }));
}

/** Durable when it resolves. */
type Receive = (record: BusRecord) => Promise<void>;

function createReceiver(
  records: RecordFile<ReceivedNotification>,
  clock: Clock,
  onReceived: FakeNotificationBackendOptions['onReceived'],
): Receive {
  const deduplicator = createDeduplicator();
  // A record that the bus hands out again is the same place and the same bytes; a topic made anew has the same places with other bytes.
  const known = new Map<string, string>();
  const remember = ({ topic, partition, offset, body }: ReceivedNotification) => {
    known.set(`${topic}/${partition}@${offset}`, body);
    if (known.size > recordsMax) known.delete(known.keys().next().value!);
  };
  for (const received of records.items()) {
    remember(received);
    // What was kept before a restart is judged again as it was then, which fills the memory of ids.
    if (received.outcome === 'mailed') judge(received.body, received.id, deduplicator, new Date(received.receivedAt));
  }
  return async (record) => {
    const body = record.value?.toString('utf8') ?? '';
    if (known.get(`${record.topic}/${record.partition}@${record.offset}`) === body) return;
    const now = clock.now();
    const received: ReceivedNotification = {
      ...judge(body, headerText(record, HEADER_MESSAGE_ID), deduplicator, now),
      receivedAt: now.toISOString(),
      topic: record.topic,
      partition: record.partition,
      offset: String(record.offset),
      key: record.key?.toString('utf8'),
      body,
    };
    await records.append(received);
    remember(received);
    onReceived?.(received);
  };
}

type Judgement = Pick<ReceivedNotification, 'outcome' | 'note' | 'id' | 'mail'>;

/** The backend's steps in its order: parse, find the event type, recognise repeats, render. */
function judge(body: string, header: string | undefined, deduplicator: Deduplicator, now: Date): Judgement {
  let id: string | undefined;
  try {
    const action = readAction(body);
    const registered =
      action.bundle === NOTIFICATION_BUNDLE &&
      action.application === NOTIFICATION_APPLICATION &&
      action.eventType === NOTIFICATION_EVENT_TYPE;
    if (!registered)
      throw new RefusedMessage(`no event type ${action.bundle}/${action.application}/${action.eventType}`);
    const message = messageIdOf(action, header);
    id = message.id;
    if (!deduplicator.isNew(action, id, now))
      return { outcome: 'duplicate', note: message.warning, id, mail: undefined };
    return { outcome: 'mailed', note: message.warning, id, mail: renderMail(action, now) };
  } catch (error) {
    if (!(error instanceof RefusedMessage)) throw error;
    return { outcome: 'refused', note: error.message, id, mail: undefined };
  }
}
