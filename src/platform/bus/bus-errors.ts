/**
 * The errors of the bus, so that both adapters answer the same failure with the same code. Services look at `code` and `retryable`
 * only; the text is for people.
 */
import { CcxError } from '../../encoding/ccx-error.ts';
import { partitionKey, type TopicPartition } from './bus.ts';

/** A topic that does not exist (or that this user may not see); nobody creates topics by writing to them. */
export function topicUnknown(topics: readonly string[]): CcxError {
  return new CcxError(`there is no topic ${topics.join(', ')} on the bus`, {
    code: 'BUS_TOPIC_UNKNOWN',
    category: 'configuration',
    hint: 'create the topic, or change the setting that names it',
  });
}

/** The member lost these partitions: somebody else has the work now, so it is dropped here. Never retryable. */
export function fenced(partitions: readonly TopicPartition[]): CcxError {
  const names = partitions.map(partitionKey).join(', ');
  return new CcxError(`this member no longer owns ${names}`, { code: 'BUS_FENCED', category: 'connection' });
}

export function recordTooLarge(topic: string, bytes: number, bytesMax: number): CcxError {
  return new CcxError(`a record for ${topic} has ${bytes} bytes, more than ${bytesMax}`, {
    code: 'BUS_RECORD_TOO_LARGE',
    category: 'limit',
    hint: 'raise bus.record_bytes_max here and the limits of the broker and the topic, or send less',
  });
}

export function unreachable(message: string, hint = 'check the brokers', cause?: unknown): CcxError {
  return new CcxError(message, { code: 'BUS_UNREACHABLE', category: 'connection', retryable: true, cause, hint });
}

/** The caller uses a bus, a producer or a consumer after its `close`. */
export function closed(what: string): CcxError {
  return new CcxError(`the ${what} is closed`, { code: 'BUS_CLOSED', category: 'internal' });
}

export function invalid(message: string): CcxError {
  return new CcxError(message, { code: 'BUS_INVALID', category: 'internal' });
}
