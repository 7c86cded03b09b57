/** What every object store promises, as tests. Each adapter's own test file calls this with a way to open a fresh store. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { keyBytesMax } from './object-errors.ts';
import type { ObjectStore } from './object-store.ts';

export interface ObjectStoreHarness {
  readonly store: ObjectStore;
  /** Another store on the same objects, as a process that comes after a crash has it. */
  reopen(): Promise<ObjectStore>;
  /** Where the server behind the store takes less than S3: how long a key may be. */
  readonly keyBytesMax?: number;
  /** Removes everything. */
  close(): Promise<void>;
}

export function objectStoreContract(name: string, open: () => Promise<ObjectStoreHarness>): void {
  const withStore = (work: (harness: ObjectStoreHarness) => Promise<void>) => async () => {
    const harness = await open();
    try {
      await work(harness);
    } finally {
      await harness.close();
    }
  };

  describe(`${name} keeps the object store contract`, () => {
    test(
      'what was put is read back, byte for byte, also by another process',
      withStore(async ({ store, reopen }) => {
        const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, n) => (n * 31) % 256));
        const beforeMs = Date.now();
        await store.put('766bd49580ce4ed489ec04e35fc7edac', Readable.from(split(bytes, 1_000)));
        for (const reader of [store, await reopen()]) {
          const got = await reader.get('766bd49580ce4ed489ec04e35fc7edac');
          assert.ok(got);
          assert.equal(sha256(await buffer(got.body)), sha256(bytes));
          assert.equal(got.object.key, '766bd49580ce4ed489ec04e35fc7edac');
          assert.equal(got.object.sizeBytes, bytes.length);
          // Stores keep times to the second at worst.
          const storedMs = got.object.storedAt.getTime();
          assert.ok(storedMs >= beforeMs - 1_000 && storedMs <= Date.now() + 1_000);
        }
      }),
    );

    test(
      'an object may be empty',
      withStore(async ({ store }) => {
        await store.put('empty', Buffer.alloc(0));
        await store.put('emptystream', Readable.from([]));
        for (const key of ['empty', 'emptystream']) assert.equal(await textOf(store, key), '');
      }),
    );

    test(
      'what is not there is undefined, and deleting it is no error',
      withStore(async ({ store }) => {
        assert.equal(await store.get('nothing'), undefined);
        await store.delete('nothing');
        await store.put('something', Buffer.from('x'));
        await store.delete('something');
        assert.equal(await store.get('something'), undefined);
        assert.deepEqual(await keysOf(store, ''), []);
      }),
    );

    test(
      'a second put of a key replaces the object',
      withStore(async ({ store }) => {
        await store.put('key', Buffer.from('one'));
        await store.put('key', Buffer.from('second'));
        assert.equal(await textOf(store, 'key'), 'second');
        assert.deepEqual(await keysOf(store, ''), ['key']);
      }),
    );

    test(
      'a stream that fails stores nothing and leaves the object that was there',
      withStore(async ({ store, reopen }) => {
        const failing = () =>
          Readable.from(
            (async function* () {
              yield Buffer.alloc(100_000, 1);
              throw new Error('the client went away');
            })(),
          );
        await assert.rejects(store.put('fresh', failing()), /the client went away/);
        await store.put('old', Buffer.from('old'));
        await assert.rejects(store.put('old', failing()), /the client went away/);
        for (const reader of [store, await reopen()]) {
          assert.equal(await reader.get('fresh'), undefined);
          assert.equal(await textOf(reader, 'old'), 'old');
          assert.deepEqual(await keysOf(reader, ''), ['old']);
        }
      }),
    );

    test(
      'a stream that is destroyed before its end stores nothing',
      withStore(async ({ store }) => {
        const source = new Readable({ read() {} });
        source.push(Buffer.alloc(1_000));
        const putting = store.put('aborted', source);
        source.destroy();
        await assert.rejects(putting);
        const failing = new Readable({ read() {} });
        const failed = store.put('aborted', failing);
        failing.destroy(new Error('the client went away'));
        await assert.rejects(failed, /the client went away/);
        assert.equal(await store.get('aborted'), undefined);
      }),
    );

    test(
      'puts of one key at once leave one of them, whole',
      withStore(async ({ store }) => {
        const bodies = Array.from({ length: 8 }, (_, n) => Buffer.alloc(20_000 + n, n));
        await Promise.all(bodies.map((body) => store.put('same', Readable.from(split(body, 500)))));
        const got = await store.get('same');
        assert.ok(got);
        const winner = bodies.find(({ length }) => length === got.object.sizeBytes);
        assert.ok(winner);
        assert.equal(sha256(await buffer(got.body)), sha256(winner));
      }),
    );

    test(
      'ids that differ never share an object',
      withStore(async ({ store, keyBytesMax: longest = keyBytesMax }) => {
        const keys = [
          'e6b06142958942139a5e1e2f513c448b',
          'e6b06142-9589-4213-9a5e-1e2f513c448b',
          'vm/efXwPcevxg-000001',
          'vm%2FefXwPcevxg-000001',
          'outbox',
          'ingress',
          'outbox/00000000000000001',
          'outbox00000000000000001',
          '.hidden',
          'a b',
          'a+b',
          'schlüssel',
          'x'.repeat(longest),
          `${'x'.repeat(longest - 1)}y`,
        ];
        for (const key of keys) await store.put(key, Buffer.from(`body of ${key}`));
        for (const key of keys) assert.equal(await textOf(store, key), `body of ${key}`);
        assert.deepEqual((await keysOf(store, '')).sort(), [...keys].sort());
      }),
    );

    test(
      'keys that not every store can hold are refused',
      withStore(async ({ store }) => {
        for (const key of [
          '',
          'folder/',
          '/a',
          'a//b',
          'a/../b',
          './a',
          '..',
          'x'.repeat(keyBytesMax + 1),
          'a\0b',
          '\ud800',
        ]) {
          for (const attempt of [
            () => store.put(key, Buffer.alloc(0)),
            () => store.get(key),
            () => store.delete(key),
          ]) {
            await assert.rejects(attempt, { code: 'OBJECTS_KEY_INVALID' });
          }
        }
      }),
    );

    test(
      'keys are listed in order, below a prefix',
      withStore(async ({ store }) => {
        for (const key of ['outbox/3', 'b', 'outbox/1', 'a', 'outbox/2', 'outboy']) {
          await store.put(key, Buffer.from(key));
        }
        assert.deepEqual(await keysOf(store, 'outbox/'), ['outbox/1', 'outbox/2', 'outbox/3']);
        assert.deepEqual(await keysOf(store, 'outbo'), ['outbox/1', 'outbox/2', 'outbox/3', 'outboy']);
        assert.deepEqual(await keysOf(store, ''), ['a', 'b', 'outbox/1', 'outbox/2', 'outbox/3', 'outboy']);
        assert.deepEqual(await keysOf(store, 'nothing'), []);
        for await (const object of store.list('outbox/')) assert.equal(object.sizeBytes, object.key.length);
      }),
    );

    test(
      'a part of an object can be read',
      withStore(async ({ store }) => {
        await store.put('digits', Buffer.from('0123456789'));
        for (const [start, endInclusive, expected] of [
          [0, 0, '0'],
          [3, 6, '3456'],
          [9, 9, '9'],
          [0, 9, '0123456789'],
        ] as const) {
          const got = await store.get('digits', { start, endInclusive });
          assert.ok(got);
          assert.equal((await buffer(got.body)).toString(), expected);
          assert.equal(got.object.sizeBytes, 10, 'the size is the whole object’s');
        }
      }),
    );

    test(
      'who reads an object reads it to its end, even if it is replaced or deleted meanwhile',
      withStore(async ({ store }) => {
        const body = Buffer.alloc(1_000_000, 7);
        await store.put('key', body);
        const first = await store.get('key');
        await store.put('key', Buffer.from('new'));
        const second = await store.get('key');
        await store.delete('key');
        assert.equal(sha256(await buffer(first!.body)), sha256(body));
        assert.equal((await buffer(second!.body)).toString(), 'new');
      }),
    );

    test(
      'a usable store passes its check',
      withStore(async ({ store }) => {
        await store.check();
      }),
    );
  });
}

async function textOf(store: ObjectStore, key: string): Promise<string | undefined> {
  const got = await store.get(key);
  return got === undefined ? undefined : (await buffer(got.body)).toString();
}

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const object of store.list(prefix)) keys.push(object.key);
  return keys;
}

function* split(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
