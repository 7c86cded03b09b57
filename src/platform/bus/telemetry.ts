/**
 * What the bus says about its consumers: one function per event that a person should find in the log, the same on either adapter. Records
 * and positions are counted by the services, which know what they mean; how a log names them is the same for all.
 */
import { errorFields, errorText } from '../../encoding/ccx-error.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { type Position, partitionKey, type TopicPartition } from './bus.ts';

export function partitionsAssigned(telemetry: Telemetry, groupId: string, partitions: readonly TopicPartition[]): void {
  telemetry.log.info({ group: groupId, partitions: partitions.map(partitionKey) }, 'bus: partitions assigned');
}

export function partitionsRevoked(telemetry: Telemetry, groupId: string, partitions: readonly TopicPartition[]): void {
  telemetry.log.info({ group: groupId, partitions: partitions.map(partitionKey) }, 'bus: partitions revoked');
}

export function memberFenced(telemetry: Telemetry, groupId: string): void {
  telemetry.log.warn({ group: groupId }, 'bus: the lease of this member ran out, it joins its group again');
}

export function membershipFailed(telemetry: Telemetry, groupId: string, error: unknown): void {
  telemetry.log.warn({ group: groupId, ...errorFields(error) }, 'bus: membership could not be renewed, trying again');
}

/** Told when trouble begins or changes its kind; `source` is what cannot be done: being in the group, fetching, finding positions. */
export function consumerTroubled(telemetry: Telemetry, groupId: string, source: string, error: unknown): void {
  telemetry.log.warn({ group: groupId, source, ...errorFields(error) }, 'bus: a consumer cannot go on, trying again');
}

export function consumerRecovered(telemetry: Telemetry, groupId: string, source: string): void {
  telemetry.log.info({ group: groupId, source }, 'bus: a consumer goes on');
}

export function recordsSkipped(
  telemetry: Telemetry,
  groupId: string,
  skipped: TopicPartition & { readonly records: bigint },
): void {
  telemetry.log.error(
    { group: groupId, partition: partitionKey(skipped), records: String(skipped.records) },
    'bus: retention dropped records before this group read them',
  );
}

/** Of a record or a position; a big number is no JSON. */
export function placeOf({ topic, partition, offset }: Position) {
  return { topic, partition, offset: String(offset) };
}

export function offsetsCommitted(telemetry: Telemetry, positions: readonly Position[]): void {
  telemetry.announce('offsets-committed', { positions: positions.map(placeOf) });
}

export function callbackFailed(telemetry: Telemetry, groupId: string, error: unknown): void {
  telemetry.log.error({ group: groupId, error: errorText(error) }, 'bus: onRevoked threw');
}
