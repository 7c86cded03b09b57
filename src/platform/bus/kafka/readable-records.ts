/**
 * What of a fetched partition may be handed out: whole records from a position on, without control batches and without the records of
 * transactions that were aborted (other producers may use transactions, and nobody should act on what was taken back). Pure.
 */
import { type fetchV13, IS_CONTROL, IS_TRANSACTIONAL, type RecordsBatch } from '@platformatic/kafka';
import type { BusRecord } from '../bus.ts';
import { headerOfBytes } from '../outgoing-record.ts';

/** Bit 3 of a batch's attributes: the broker set the time, and it stands in the batch. */
const logAppendTime = 1 << 3;
/** Type of a control record, in the second field of its key. */
const abortMarker = 0;

/** `next` is where to fetch on: behind everything that was looked at, also when nothing of it may be handed out. */
export function readableRecords(
  place: Pick<BusRecord, 'topic' | 'topicId' | 'partition'>,
  fetched: Pick<fetchV13.FetchResponsePartition, 'records' | 'abortedTransactions'>,
  from: bigint,
) {
  const records: BusRecord[] = [];
  const aborted = [...(fetched.abortedTransactions ?? [])].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const abortedProducers = new Set<bigint>();
  let next = from;
  let bytes = 0;
  for (const batch of fetched.records ?? []) {
    const lastOffset = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    while (aborted[0] !== undefined && aborted[0].firstOffset <= lastOffset) {
      abortedProducers.add(aborted.shift()!.producerId);
    }
    if ((batch.attributes & IS_CONTROL) !== 0) {
      if (isAbortMarker(batch)) abortedProducers.delete(batch.producerId);
    } else if ((batch.attributes & IS_TRANSACTIONAL) === 0 || !abortedProducers.has(batch.producerId)) {
      for (const record of batch.records) {
        const offset = batch.firstOffset + BigInt(record.offsetDelta);
        // The broker sends whole batches, so the first one may begin before the position.
        if (offset < from) continue;
        bytes += record.length;
        records.push({
          ...place,
          offset,
          key: record.key ?? null,
          value: record.value ?? null,
          headers: record.headers.map(([name, value]) => headerOfBytes([name ?? Buffer.alloc(0), value ?? null])),
          timestampMs: Number(
            (batch.attributes & logAppendTime) === 0
              ? batch.firstTimestamp + record.timestampDelta
              : batch.maxTimestamp,
          ),
        });
      }
    }
    if (lastOffset >= next) next = lastOffset + 1n;
  }
  return { records, next, bytes };
}

function isAbortMarker(batch: RecordsBatch): boolean {
  return batch.records[0]?.key?.readInt16BE(2) === abortMarker;
}
