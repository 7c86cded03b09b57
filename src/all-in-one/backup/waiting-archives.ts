/**
 * Which archives somebody will still ask for: those of announcements that a group has not read yet or that wait for the bus, and of dead
 * letters, which may be replayed. Every other archive has become a report. Called by `take-backup.ts`.
 */
import { readFile } from 'node:fs/promises';
import { DEAD_LETTER_TOPICS, TOPIC_UPLOAD_ANNOUNCE } from '../../contracts/topics.ts';
import { isJsonObject } from '../../encoding/json-text.ts';
import { segmentTable } from '../../platform/bus/postgres/storage.ts';
import type { Connection } from '../../platform/database/database.ts';

/** A dead letter has up to a megabyte. */
const recordsAtOnceMax = 100;

interface Stretch {
  readonly topicId: bigint;
  readonly segment: bigint;
  readonly partition: number;
  readonly from: bigint;
}

/** Request ids of announcements that ingress has kept, each in a file of its own. */
export async function archivesOfKept(files: readonly string[]): Promise<ReadonlySet<string>> {
  const waiting = new Set<string>();
  for (const file of files) {
    const requestId = textIn(await readFile(file), 'requestId');
    if (requestId !== undefined) waiting.add(requestId);
  }
  return waiting;
}

/** Request ids, which are the archives' keys, by the topics. One that nobody has read yet waits as a whole. */
export async function waitingArchives(tx: Connection): Promise<ReadonlySet<string>> {
  const waiting = new Set<string>();
  const { rows: there } = await tx.query<{ there: boolean }>(
    `SELECT to_regclass('ccx.bus_topics') IS NOT NULL AS there`,
  );
  if (there[0]?.there !== true) return waiting;
  const { rows: stretches } = await tx.query<Stretch>(
    `SELECT p.topic_id AS "topicId", s.segment, p.partition,
            CASE WHEN t.name = $1 THEN coalesce((SELECT min(coalesce(g.committed, p.start_offset)) FROM ccx.bus_positions AS g
                                                  WHERE g.topic_id = p.topic_id AND g.partition = p.partition), p.start_offset)
                 ELSE p.start_offset END AS "from"
       FROM ccx.bus_topics AS t JOIN ccx.bus_partitions AS p USING (topic_id) JOIN ccx.bus_segments AS s USING (topic_id)
      WHERE t.name = $1 OR t.name = ANY($2::text[])`,
    [TOPIC_UPLOAD_ANNOUNCE, DEAD_LETTER_TOPICS],
  );
  for (const stretch of stretches) await readRequests(tx, stretch, waiting);
  return waiting;
}

async function readRequests(tx: Connection, { topicId, segment, partition, from }: Stretch, waiting: Set<string>) {
  for (let next = from; ; ) {
    const { rows } = await tx.query<{ offset: bigint; value: Buffer | null }>(
      `SELECT "offset", value FROM ${segmentTable(topicId, segment)}
        WHERE partition = $1 AND "offset" >= $2 ORDER BY "offset" LIMIT ${recordsAtOnceMax}`,
      [partition, String(next)],
    );
    for (const { value } of rows) {
      const requestId = textIn(value, 'request_id');
      if (requestId !== undefined) waiting.add(requestId);
    }
    if (rows.length < recordsAtOnceMax) return;
    next = rows.at(-1)!.offset + 1n;
  }
}

/** Undefined for what names none: nobody can fetch an archive by it. */
function textIn(document: Buffer | null, member: string): string | undefined {
  try {
    const message: unknown = JSON.parse(document?.toString('utf8') ?? '');
    const value = isJsonObject(message) ? message[member] : undefined;
    return typeof value === 'string' && value !== '' ? value : undefined;
  } catch {
    return undefined;
  }
}
