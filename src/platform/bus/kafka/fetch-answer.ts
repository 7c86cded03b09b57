/**
 * A broker's answer to a fetch (version 13), read in place: the library's reader makes several objects per record and copies across the pieces
 * in which the answer came, which costs as much as judging what is in it. Here it is put together once, and records are parts of that;
 * whoever keeps one keeps the answer in memory. Source: Kafka's protocol guide, Fetch Response and Record Batch.
 */
import { compressionsAlgorithmsByBitmask, createAPI, fetchV13, type Reader } from '@platformatic/kafka';

export interface FetchedPartition {
  readonly partitionIndex: number;
  readonly errorCode: number;
  readonly abortedTransactions: readonly AbortedTransaction[];
  /** Record batches, the last one perhaps cut off. */
  readonly records: Buffer;
}

interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

interface FetchAnswer {
  readonly errorCode: number;
  readonly responses: readonly { readonly topicId: string; readonly partitions: readonly FetchedPartition[] }[];
}

const apiKey = 1;
const apiVersion = 13;

/** Error codes in the answer are the caller's. */
export const fetchApi = createAPI<Parameters<typeof fetchV13.createRequest>, FetchAnswer>(
  apiKey,
  apiVersion,
  fetchV13.createRequest,
  (_correlationId, _apiKey, _apiVersion, reader) => decodeFetchAnswer(bytesOf(reader)),
);

function bytesOf(reader: Reader): Buffer {
  return reader.buffer.slice(reader.position);
}

/** Throws a RangeError where the answer ends too early. */
export function decodeFetchAnswer(bytes: Buffer): FetchAnswer {
  const reader = new ByteReader(bytes);
  // How long the broker held back, which it did already.
  reader.int32();
  const errorCode = reader.int16();
  // The session, which we have none of.
  reader.int32();
  const responses = reader.compactArray(() => {
    const topicId = reader.uuid();
    const partitions = reader.compactArray(() => readPartition(reader));
    reader.skipTags();
    return { topicId, partitions };
  });
  reader.skipTags();
  return { errorCode, responses };
}

function readPartition(reader: ByteReader): FetchedPartition {
  const partitionIndex = reader.int32();
  const errorCode = reader.int16();
  // High watermark, last stable offset, log start offset.
  reader.skip(24);
  const abortedTransactions = reader.compactArray(() => {
    const aborted = { producerId: reader.int64(), firstOffset: reader.int64() };
    reader.skipTags();
    return aborted;
  });
  // The replica that the broker would prefer.
  reader.skip(4);
  const records = reader.bytes(Math.max(0, reader.unsignedVarint() - 1));
  reader.skipTags();
  return { partitionIndex, errorCode, abortedTransactions, records };
}

/** The head of a batch, and what reads its records. */
export interface FetchedBatch {
  readonly firstOffset: bigint;
  readonly lastOffset: bigint;
  readonly attributes: number;
  readonly firstTimestampMs: number;
  readonly maxTimestampMs: number;
  readonly producerId: bigint;
  /** Bytes of a record, its offset and time relative to those of the batch, and where its parts lie. Called once. */
  readonly eachRecord: (read: (record: FetchedRecord) => void) => void;
}

interface FetchedRecord {
  readonly bytes: number;
  readonly offsetDelta: number;
  readonly timestampDeltaMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [name: Buffer, value: Buffer | null])[];
}

/** First offset and length. */
const batchPrefixBytes = 12;
const compressionMask = 0b111;
const currentMagic = 2;

/** Whole batches only: brokers cut an answer where its bytes are used up. Throws for a format of before Kafka 0.11. */
export function* fetchedBatches(records: Buffer): Generator<FetchedBatch> {
  let at = 0;
  while (records.length - at >= batchPrefixBytes) {
    const end = at + batchPrefixBytes + records.readInt32BE(at + 8);
    if (end > records.length) return;
    yield readBatch(records.subarray(at, end));
    at = end;
  }
}

function readBatch(bytes: Buffer): FetchedBatch {
  const reader = new ByteReader(bytes);
  const firstOffset = reader.int64();
  // Length, and the epoch of the leader.
  reader.skip(8);
  const magic = reader.int8();
  if (magic !== currentMagic) throw new RangeError(`a record batch has format ${magic}`);
  // The checksum: TCP has its own, and so has the broker's log.
  reader.skip(4);
  const attributes = reader.int16();
  const lastOffset = firstOffset + BigInt(reader.int32());
  const firstTimestampMs = Number(reader.int64());
  const maxTimestampMs = Number(reader.int64());
  const producerId = reader.int64();
  // Epoch of the producer and first sequence number.
  reader.skip(6);
  const count = reader.int32();
  const eachRecord = (read: (record: FetchedRecord) => void) => {
    const content = uncompressed(reader, attributes & compressionMask);
    for (let n = 0; n < count; n += 1) read(readRecord(content));
  };
  return { firstOffset, lastOffset, attributes, firstTimestampMs, maxTimestampMs, producerId, eachRecord };
}

function uncompressed(reader: ByteReader, compression: number): ByteReader {
  if (compression === 0) return reader;
  const algorithm = compressionsAlgorithmsByBitmask[compression];
  if (algorithm === undefined) throw new RangeError(`a record batch is compressed by method ${compression}`);
  return new ByteReader(algorithm.decompressSync(reader.rest()));
}

function readRecord(reader: ByteReader): FetchedRecord {
  const bytes = reader.varint();
  // Attributes, of which there are none.
  reader.skip(1);
  const timestampDeltaMs = reader.varint();
  const offsetDelta = reader.varint();
  const key = reader.varintBytes();
  const value = reader.varintBytes();
  const headers: (readonly [Buffer, Buffer | null])[] = [];
  for (let left = reader.varint(); left > 0; left -= 1) {
    const name = reader.varintBytes() ?? Buffer.alloc(0);
    headers.push([name, reader.varintBytes()]);
  }
  return { bytes, offsetDelta, timestampDeltaMs, key, value, headers };
}

class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  int8(): number {
    this.#at += 1;
    return this.#bytes.readInt8(this.#at - 1);
  }

  int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  int64(): bigint {
    this.#at += 8;
    return this.#bytes.readBigInt64BE(this.#at - 8);
  }

  uuid(): string {
    const hex = this.bytes(16).toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }

  bytes(length: number): Buffer {
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new RangeError('a fetch answer ends too early');
    return this.#bytes.subarray(from, this.#at);
  }

  rest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  /** Exact up to 2^53, which is more than any length or time. */
  unsignedVarint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw new RangeError('a fetch answer ends too early');
      this.#at += 1;
      if (byte < 0x80) return value + byte * factor;
      value += (byte - 0x80) * factor;
    }
  }

  /** Zigzag: the sign is the last bit. */
  varint(): number {
    const zigzag = this.unsignedVarint();
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  }

  /** Null where the length is -1. */
  varintBytes(): Buffer | null {
    const length = this.varint();
    return length < 0 ? null : this.bytes(length);
  }

  /** An array that is null is empty. */
  compactArray<Item>(read: () => Item): Item[] {
    const items: Item[] = [];
    for (let left = this.unsignedVarint() - 1; left > 0; left -= 1) items.push(read());
    return items;
  }

  skipTags(): void {
    for (let left = this.unsignedVarint(); left > 0; left -= 1) {
      this.unsignedVarint();
      this.skip(this.unsignedVarint());
    }
  }
}
