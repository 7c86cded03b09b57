/** An archive from a bucket is whole and within its bounds, or ends with an error that says whether another try can help. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { CcxError } from '../../encoding/ccx-error.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { fetchFromBucket, isOwnLink } from './bucket-archive-source.ts';

const deadlines = { answerMsMax: 10_000, stallMsMax: 10_000, downloadMsMax: 20_000, slowMsMax: 10_000 };
const options = { clock: createSystemClock(), ...deadlines, bytesPerSecondMin: 1_000 };

function bucketOf(body: Readable, sizeBytes: number) {
  const objects = { get: async (key: string) => ({ object: { key, sizeBytes, storedAt: new Date(0) }, body }) };
  return { name: 'archives', objects };
}

function fetchKey(bucket: Parameters<typeof fetchFromBucket>[1], change: object = {}, limits: object = {}) {
  const request = { key: 'id', bytesMax: 1_000, reserve: () => true, signal: new AbortController().signal, ...change };
  return fetchFromBucket(request, bucket, { ...options, ...limits });
}

test('the bytes arrive as they lie there; nothing of that key is undefined', async () => {
  const bytes = Buffer.from('archive');
  assert.deepEqual(await fetchKey(bucketOf(Readable.from([bytes]), bytes.length)), bytes);
  assert.equal(await fetchKey({ name: 'archives', objects: { get: async () => undefined } }), undefined);
});

test('one that is empty or too large is refused, the large one before it is read', async () => {
  await assert.rejects(fetchKey(bucketOf(Readable.from([]), 0)), { code: 'ARCHIVE_EMPTY' });
  const large = Readable.from([Buffer.alloc(1_001)]);
  await assert.rejects(fetchKey(bucketOf(large, 1_001)), { code: 'ARCHIVE_TOO_BIG', retryable: false });
  assert.ok(large.destroyed);
  const noRoom = bucketOf(Readable.from([Buffer.alloc(10)]), 10);
  await assert.rejects(fetchKey(noRoom, { reserve: () => false }), { code: 'DOWNLOAD_NO_ROOM' });
});

test('G19: one that falls silent, or whose store does, ends in time and may be tried again', async () => {
  const silent = new Readable({ read() {} });
  silent.push(Buffer.alloc(10));
  const late = { code: 'DOWNLOAD_TIMEOUT', retryable: true };
  await assert.rejects(fetchKey(bucketOf(silent, 20), {}, { stallMsMax: 1 }), late);
  assert.ok(silent.destroyed);
  const asleep = { name: 'archives', objects: { get: () => new Promise<never>(() => undefined) } };
  await assert.rejects(fetchKey(asleep, {}, { answerMsMax: 1 }), late);
});

test('one that breaks off may be tried again, and an error of the store stays what it is', async () => {
  const broken = Readable.from(
    (async function* () {
      yield Buffer.alloc(10);
      throw new Error('reset');
    })(),
  );
  await assert.rejects(fetchKey(bucketOf(broken, 20)), { code: 'DOWNLOAD_UNREACHABLE', retryable: true });
  const away = new CcxError('away', { code: 'OBJECTS_AWAY', category: 'connection', retryable: true });
  await assert.rejects(fetchKey({ name: 'archives', objects: { get: () => Promise.reject(away) } }), away);
});

test('a stop ends it with its own reason, and what comes too late is let go', async () => {
  const stop = new AbortController();
  const body = Readable.from([Buffer.alloc(1)]);
  const { promise, resolve } = Promise.withResolvers<void>();
  const bucket = bucketOf(body, 1);
  const slow = { ...bucket, objects: { get: (key: string) => promise.then(() => bucket.objects.get(key)) } };
  const fetching = fetchKey(slow, { signal: stop.signal });
  stop.abort(new Error('stopping'));
  await assert.rejects(fetching, /stopping/);
  resolve();
  await new Promise((next) => setImmediate(next));
  assert.ok(body.destroyed);
});

const id = 'vm/efXw+cevxg-1';
const query = '?X-Amz-Signature=1';

for (const link of [
  `http://s3:9000/archives/vm/efXw%2Bcevxg-1${query}`,
  `https://another-name/archives/vm/efXw%2Bcevxg-1${query}`,
  `https://archives.s3.eu-west-1.amazonaws.com/vm/efXw+cevxg-1${query}`,
]) {
  test(`ours: ${link}`, () => assert.equal(isOwnLink(link, 'archives', id), true));
}

for (const [why, link, requestId] of [
  ['another bucket', `http://s3:9000/other/${id}`, id],
  ['another key', 'http://s3:9000/archives/another', id],
  ['a host that only sounds alike', `https://archives-of-others.example/${id}`, id],
  ['no request id', 'http://s3:9000/archives/', null],
  ['a reserved key', 'http://s3:9000/archives/outbox/1', 'outbox/1'],
  ['a key that leads elsewhere', 'http://s3:9000/archives/a/..%2Foutbox', 'a/../outbox'],
  ['a path that cannot be decoded', 'http://s3:9000/archives/%zz', '%zz'],
  ['no link', 'archives', 'archives'],
] as const) {
  test(`not ours: ${why}`, () => assert.equal(isOwnLink(link, 'archives', requestId), false));
}
