/** Small archives are handed to the store whole, others as a stream, and what is gathered at once is bounded. */
import assert from 'node:assert/strict';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { createWatchedClock } from '../../../test/support/watched-clock.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import type { ObjectStore } from '../../platform/objects/object-store.ts';
import { ArchiveStaging, GatheringMemory, gatheredBytesMax } from './archive-staging.ts';

/** A store that notes how objects come and keeps them. */
function fixture() {
  const kept = new Map<string, { readonly how: 'whole' | 'stream'; readonly body: Buffer }>();
  const put = async (key: string, body: Readable | Buffer) => {
    if (Buffer.isBuffer(body)) kept.set(key, { how: 'whole', body });
    else kept.set(key, { how: 'stream', body: await buffer(body) });
  };
  const options = { objects: { put } as ObjectStore, memory: new GatheringMemory(), clock: createManualClock() };
  const begin = (key: string) => new ArchiveStaging({ ...options, key, attributes: {} });
  return {
    kept,
    begin,
    async store(key: string, ...chunks: readonly Buffer[]) {
      const staging = begin(key);
      for (const chunk of chunks) await staging.write(chunk);
      await staging.finish();
    },
  };
}

test('up to the limit an archive comes whole, above it as a stream, with the same bytes', async () => {
  const { kept, store } = fixture();
  const half = Buffer.alloc(gatheredBytesMax / 2, 1);
  await store('empty');
  await store('small', half, half);
  await store('large', half, half, Buffer.from('x'));
  await store('one', Buffer.alloc(gatheredBytesMax + 1, 2));
  assert.deepEqual(
    [...kept].map(([key, { how, body }]) => [key, how, body.length]),
    [
      ['empty', 'whole', 0],
      ['small', 'whole', gatheredBytesMax],
      ['large', 'stream', gatheredBytesMax + 1],
      ['one', 'stream', gatheredBytesMax + 1],
    ],
  );
  assert.ok(kept.get('large')!.body.equals(Buffer.concat([half, half, Buffer.from('x')])));
});

test('while others have taken the memory an archive is streamed; it comes back with their end, however they end', async () => {
  const { kept, begin, store } = fixture();
  const whole = Buffer.alloc(gatheredBytesMax, 1);
  const others = Array.from({ length: 16 }, (_, n) => begin(`other${n}`));
  for (const other of others) await other.write(whole);
  await store('during', Buffer.from('x'));
  for (const [n, other] of others.entries()) await (n % 2 === 0 ? other.finish() : other.abandon());
  await store('behind', whole);
  assert.deepEqual(
    ['during', 'behind', 'other0', 'other1'].map((key) => kept.get(key)?.how),
    ['stream', 'whole', 'whole', undefined],
  );
});

test('a store that takes nothing more of a large archive is given up, also by who is refused meanwhile', async () => {
  const clock = createWatchedClock();
  const begun: string[] = [];
  const stalled = {
    put: (key: string) => {
      begun.push(key);
      return new Promise<void>(() => undefined);
    },
  } as unknown as ObjectStore;
  const begin = (key: string) =>
    new ArchiveStaging({ objects: stalled, memory: new GatheringMemory(), clock, key, attributes: {} });
  const chunk = Buffer.alloc(gatheredBytesMax, 1);

  const staging = begin('stalled');
  await staging.write(chunk);
  const writing = staging.write(chunk);
  assert.equal(await clock.passNextSleep(), 30_000);
  await writing;
  // The form is read to its end, and nothing more waits.
  await staging.write(chunk);
  await assert.rejects(staging.finish(), { code: 'STAGE_TIMEOUT', message: /took nothing more/ });

  const refused = begin('refused');
  await refused.write(chunk);
  const more = refused.write(chunk);
  assert.equal(await clock.passNextSleep(), 30_000);
  await more;
  const abandoning = refused.abandon();
  assert.equal(await clock.passNextSleep(), 5_000);
  await abandoning;
  assert.deepEqual(begun, ['stalled', 'refused']);
});
