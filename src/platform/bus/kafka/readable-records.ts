/**
 * What of a fetched partition may be handed out: whole records from a position on, without control batches and without the records of
 * transactions that were aborted (other producers may use transactions, and nobody should act on what was taken back). Pure.
 */
import { IS_CONTROL, IS_TRANSACTIONAL } from '@platformatic/kafka';
import type { BusRecord } from '../bus.ts';
import { headerOfBytes } from '../outgoing-record.ts';
import { type FetchedBatch, type FetchedPartition, fetchedBatches } from './fetch-answer.ts';

/** Bit 3 of a batch's attributes: the broker set the time, and it stands in the batch. */
const logAppendTime = 1 << 3;
/** Type of a control record, in the second field of its key. */
const abortMarker = 0;

/** `next` is where to fetch on: behind everything that was looked at, also when nothing of it may be handed out. */
export function readableRecords(
  place: Pick<BusRecord, 'topic' | 'topicId' | 'partition'>,
  fetched: Pick<FetchedPartition, 'records' | 'abortedTransactions'>,
  from: bigint,
) {
  const records: BusRecord[] = [];
  const aborted = [...fetched.abortedTransactions].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const abortedProducers = new Set<bigint>();
  let next = from;
  let bytes = 0;
  for (const batch of fetchedBatches(fetched.records)) {
    const { firstOffset, lastOffset, attributes } = batch;
    while (aborted[0] !== undefined && aborted[0].firstOffset <= lastOffset) {
      abortedProducers.add(aborted.shift()!.producerId);
    }
    if ((attributes & IS_CONTROL) !== 0) {
      if (isAbortMarker(batch)) abortedProducers.delete(batch.producerId);
    } else if ((attributes & IS_TRANSACTIONAL) === 0 || !abortedProducers.has(batch.producerId)) {
      const brokersMs = (attributes & logAppendTime) === 0 ? undefined : batch.maxTimestampMs;
      batch.eachRecord((record) => {
        const offset = firstOffset + BigInt(record.offsetDelta);
        // The broker sends whole batches, so the first one may begin before the position.
        if (offset < from) return;
        bytes += record.bytes;
        records.push({
          ...{ topic: place.topic, topicId: place.topicId, partition: place.partition },
          ...{ offset, key: record.key, value: record.value },
          headers: record.headers.map(headerOfBytes),
          timestampMs: brokersMs ?? batch.firstTimestampMs + record.timestampDeltaMs,
        } as BusRecord);
      });
    }
    if (lastOffset >= next) next = lastOffset + 1n;
  }
  return { records, next, bytes };
}

function isAbortMarker(batch: FetchedBatch): boolean {
  let type: number | undefined;
  batch.eachRecord(({ key }) => {
    type ??= key?.readInt16BE(2);
  });
  return type === abortMarker;
}
