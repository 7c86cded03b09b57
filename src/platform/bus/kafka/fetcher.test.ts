/** How long a broker may hold a fetch: another partition that it leads must never wait for that one's next record. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../../clock/manual-clock.ts';
import type { KafkaCluster } from './cluster.ts';
import { type FetchCursor, Fetcher, partialFetchWaitMs } from './fetcher.ts';
import { fetchWaitMs } from './limits.ts';
import { codes } from './protocol.ts';

const topic = 'ccx.ocp.results';
const topicId = '00000000-0000-4000-8000-000000000001';
const bufferedBytesMax = 1_000_000;
const leader = 1;

interface Asked {
  readonly waitMs: number;
  readonly partitions: readonly number[];
  /** The broker's answer: nothing came. */
  answer(): void;
}

/** One broker that leads two partitions and tells what it is asked. */
function startFetcher(cursors: readonly FetchCursor[]) {
  const requests: Asked[] = [];
  let onRequest = () => undefined as unknown;
  const cluster = {
    async topics() {
      return new Map([[topic, { name: topic, topicId, partitions: [{ leader }, { leader }], seenMs: 0 }]]);
    },
    request(_node: number, _api: unknown, args: readonly unknown[]) {
      const [waitMs, , , , , , topics] = args as [number, ...unknown[]];
      const [{ partitions }] = topics as [{ partitions: { partition: number }[] }];
      const asked = partitions.map(({ partition }) => partition).sort();
      return new Promise((resolve) => {
        const answer = () => resolve({ errorCode: codes.NONE, responses: [] });
        requests.push({ waitMs, partitions: asked, answer });
        onRequest();
      });
    },
    forgetTopic: () => undefined,
  };
  const fetcher = new Fetcher({
    cluster: cluster as unknown as KafkaCluster,
    clock: createManualClock(),
    bufferedBytesMax,
    listener: {
      ...{ onRecords: () => undefined, onOutOfRange: () => undefined },
      ...{ onTopicGone: () => undefined, onTrouble: () => undefined },
    },
  });
  for (const cursor of cursors) fetcher.add(cursor);
  fetcher.pump();
  return {
    fetcher,
    async next(): Promise<Asked> {
      while (requests.length === 0) {
        const came = Promise.withResolvers<void>();
        onRequest = () => came.resolve();
        await came.promise;
      }
      return requests.shift()!;
    },
    async end() {
      const closed = fetcher.close();
      for (const { answer } of requests) answer();
      await closed;
    },
  };
}

function cursorOf(partition: number): FetchCursor {
  return { topic, partition, topicId, next: 0n, buffered: [], bufferedBytes: 0, paused: false, fetching: false };
}

test('a broker may hold a fetch of everything that it leads', async () => {
  const broker = startFetcher([cursorOf(0), cursorOf(1)]);
  const { waitMs, partitions, answer } = await broker.next();
  assert.deepEqual({ waitMs, partitions }, { waitMs: fetchWaitMs, partitions: [0, 1] });
  answer();
  await broker.end();
});

const leftOut: Readonly<Record<string, { out(cursor: FetchCursor): void; back(cursor: FetchCursor): void }>> = {
  'that is full': {
    out: (cursor) => Object.assign(cursor, { bufferedBytes: bufferedBytesMax }),
    back: (cursor) => Object.assign(cursor, { bufferedBytes: 0 }),
  },
  'that is paused': {
    out: (cursor) => Object.assign(cursor, { paused: true }),
    back: (cursor) => Object.assign(cursor, { paused: false }),
  },
  'whose position is being looked up': {
    out: (cursor) => Object.assign(cursor, { next: undefined }),
    back: (cursor) => Object.assign(cursor, { next: 5n }),
  },
};

for (const [which, { out, back }] of Object.entries(leftOut)) {
  test(`a partition ${which} does not wait for the next record of another one`, async () => {
    const [one, other] = [cursorOf(0), cursorOf(1)];
    out(other);
    const broker = startFetcher([one, other]);
    const without = await broker.next();
    assert.deepEqual([without.waitMs, without.partitions], [partialFetchWaitMs, [0]]);
    back(other);
    broker.fetcher.pump();
    without.answer();
    const together = await broker.next();
    assert.deepEqual([together.waitMs, together.partitions], [fetchWaitMs, [0, 1]]);
    together.answer();
    await broker.end();
  });
}
