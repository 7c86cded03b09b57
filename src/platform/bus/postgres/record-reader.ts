/**
 * Reads records of the embedded bus from given positions: who may read what is decided elsewhere (`consumer.ts` for groups, `admin.ts`
 * for `read()`). Two statements per read: the heads of the partitions, then exact offset ranges of segment tables; ranges and not
 * LIMIT, because offsets have no gaps and a range stays cheap whatever plan the server picks.
 */

import { to as copyTo } from 'pg-copy-streams';
import type { Database } from '../../database/database.ts';
import { sqlState } from '../../database/database-error.ts';
import type { BusRecord } from '../bus.ts';
import { shareOut } from '../bus-consumer.ts';
import { decodeHeaders, SegmentDirectory } from './storage.ts';

/** Signature, flags and length of the header extension. */
const headerBytes = 19;
const lengthBytes = 4;
const countBytes = 2;
/** In place of a count: no more rows. In place of a length: null. */
const none = -1;

/** Looks at the segments again when one was dropped between the look and the read. */
const droppedSegmentAttemptsMax = 3;

/** A place to read from. The reader keeps `head` up to date; `position` belongs to the caller. */
export interface ReadCursor {
  readonly topicId: bigint;
  readonly topic: string;
  readonly partition: number;
  readonly position: bigint;
  /** Offset that the next record will get, as last seen; undefined before the first look or when the topic is gone. */
  head: bigint | undefined;
}

interface CursorPage<Cursor extends ReadCursor> {
  readonly cursor: Cursor;
  readonly records: readonly BusRecord[];
  /** Where to read on. */
  readonly next: bigint;
  /** Offsets between the position and the first record that retention had dropped before they were read. */
  readonly dropped: bigint;
}

interface Range<Cursor extends ReadCursor> {
  readonly cursor: Cursor;
  readonly table: string;
  readonly from: bigint;
  readonly to: bigint;
}

const undefinedTable = '42P01';

export class RecordReader {
  readonly #database: Database;
  readonly #segments = new SegmentDirectory();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Pages of those cursors that have something; none when everything was read. The first record of a page may exceed `bytesMax`. */
  async read<Cursor extends ReadCursor>(
    cursors: readonly Cursor[],
    limits: { readonly recordsMax: number; readonly bytesMax: number },
  ): Promise<CursorPage<Cursor>[]> {
    for (let attempt = 1; ; attempt += 1) {
      if (cursors.some((cursor) => cursor.head === undefined || cursor.position >= cursor.head)) {
        await this.#lookAtHeads(cursors);
      }
      try {
        return await this.#readRanges(this.#chooseRanges(cursors, limits.recordsMax), limits.bytesMax);
      } catch (error) {
        if (sqlState(error) !== undefinedTable || attempt >= droppedSegmentAttemptsMax) throw error;
        // Retention dropped a segment, or somebody the topic, between the look and the read.
        for (const cursor of cursors) {
          this.#segments.forget(cursor.topicId);
          cursor.head = undefined;
        }
      }
    }
  }

  async #lookAtHeads(cursors: readonly ReadCursor[]): Promise<void> {
    const topicIds = [...new Set(cursors.map((cursor) => cursor.topicId))];
    const { rows } = await this.#database.query<{
      topic_id: bigint;
      partition: number;
      next_offset: bigint;
      segment: bigint;
    }>('SELECT topic_id, partition, next_offset, segment FROM ccx.bus_partitions WHERE topic_id = ANY($1::bigint[])', [
      topicIds.map(String),
    ]);
    for (const topicId of topicIds) {
      const row = rows.find((candidate) => candidate.topic_id === topicId);
      if (row !== undefined) await this.#segments.refresh(this.#database, topicId, row.segment);
    }
    for (const cursor of cursors) {
      cursor.head = rows.find(
        (row) => row.topic_id === cursor.topicId && row.partition === cursor.partition,
      )?.next_offset;
    }
  }

  #chooseRanges<Cursor extends ReadCursor>(cursors: readonly Cursor[], recordsMax: number): Range<Cursor>[] {
    const places = cursors.flatMap((cursor) => {
      if (cursor.head === undefined) return [];
      const place = this.#segments.locate(cursor.topicId, cursor.partition, cursor.position);
      if (place === undefined) return [];
      const end = place.end !== undefined && place.end < cursor.head ? place.end : cursor.head;
      return place.from < end ? [{ cursor, table: place.table, from: place.from, end }] : [];
    });
    const shares = shareOut(
      places.map(({ from, end }) => Number(end - from)),
      recordsMax,
    );
    return places
      .map(({ cursor, table, from }, index) => ({ cursor, table, from, to: from + BigInt(shares[index]!) }))
      .filter(({ from, to }) => from < to);
  }

  /** `bytes` is summed inside the server, so what does not fit into `bytesMax` is neither uncompressed nor sent. */
  async #readRanges<Cursor extends ReadCursor>(
    ranges: readonly Range<Cursor>[],
    bytesMax: number,
  ): Promise<CursorPage<Cursor>[]> {
    if (ranges.length === 0) return [];
    const bytesEach = Math.max(1, Math.floor(bytesMax / ranges.length));
    const parts = ranges.map(
      ({ cursor, table, from, to }, index) => `
      SELECT ${index}::int AS range, "offset", timestamp_ms, key, headers, value
      FROM (SELECT *, sum(bytes) OVER (ORDER BY "offset") AS total FROM ${table}
            WHERE partition = ${cursor.partition} AND "offset" >= ${from} AND "offset" < ${to}) AS page
      WHERE total - bytes < ${bytesEach}`,
    );
    const pages = ranges.map((): BusRecord[] => []);
    for (const [range, ...fields] of await copyRows(this.#database, parts.join('\nUNION ALL'))) {
      const index = range!.readInt32BE();
      pages[index]!.push(recordOf(ranges[index]!.cursor, fields));
    }
    return ranges.map(({ cursor, from, to }, index) => {
      const records = pages[index]!.sort((a, b) => (a.offset < b.offset ? -1 : 1));
      // An empty page of a range that must hold records means that somebody deleted rows by hand; reading on is better than standing still.
      const next = records.length === 0 ? to : records.at(-1)!.offset + 1n;
      return { cursor, records, next, dropped: from - cursor.position };
    });
  }
}

/** `fields` as selected above, in the server's binary format. */
function recordOf(cursor: ReadCursor, [offset, timestampMs, key, headers, value]: (Buffer | null)[]): BusRecord {
  return {
    topic: cursor.topic,
    topicId: String(cursor.topicId),
    partition: cursor.partition,
    offset: offset!.readBigInt64BE(),
    key: key ?? null,
    value: value ?? null,
    headers: decodeHeaders(headers ?? null),
    timestampMs: Number(timestampMs!.readBigInt64BE()),
  };
}

/** Fields as the server's binary format has them; they share the memory of the whole answer. `query` comes without parameters. */
async function copyRows(database: Database, query: string): Promise<(Buffer | null)[][]> {
  return await database.withConnection(async ({ client }) => {
    const chunks: Buffer[] = [];
    for await (const chunk of client.query(copyTo(`COPY (${query}) TO STDOUT (FORMAT binary)`))) {
      chunks.push(chunk as Buffer);
    }
    return parseCopy(Buffer.concat(chunks));
  });
}

function parseCopy(data: Buffer): (Buffer | null)[][] {
  const rows: (Buffer | null)[][] = [];
  let at = headerBytes;
  for (;;) {
    const count = data.readInt16BE(at);
    at += countBytes;
    if (count === none) return rows;
    const row: (Buffer | null)[] = [];
    for (let field = 0; field < count; field += 1) {
      const length = data.readInt32BE(at);
      at += lengthBytes;
      row.push(length === none ? null : data.subarray(at, at + length));
      at += Math.max(length, 0);
    }
    rows.push(row);
  }
}
