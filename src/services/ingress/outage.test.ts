/** Ingress while the bus is away, slow or choosy: nothing that was accepted is lost, and nobody is told what is not so. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import {
  archiveKeys,
  type BenchOptions,
  BOUNDARY,
  type Exchange,
  filePart,
  form,
  type IngressBench,
  metadataPart,
  send,
  startIngressBench,
  upload,
  userIdentity,
} from '../../../test/support/ingress-bench.ts';
import { until } from '../../../test/support/until.ts';
import { HEADER_REQUEST_ID, TOPIC_UPLOAD_ANNOUNCE } from '../../contracts/topics.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { createManualClock, type ManualClock } from '../../platform/clock/manual-clock.ts';
import { openDirectoryStore } from '../../platform/objects/directory/directory-store.ts';
import type { ObjectStore } from '../../platform/objects/object-store.ts';
import { statusRetryMsMax } from '../../platform/records/status-sender.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import { orphanScanEveryMs, relayEveryMs, relayRecordsMax } from './announcer.ts';
import { announceMsMax } from './bus-sender.ts';
import { linkLifetimeMs } from './config.ts';
import { Outbox, orphanAfterMs } from './outbox.ts';
import { startIngress } from './service.ts';

async function bench(t: TestContext, options: BenchOptions = {}) {
  const clock = createManualClock();
  return { clock, ...bindings(await startIngressBench(t, { clock, ...options })) };
}

/** The bench stays one object: what it holds changes with a restart. */
function bindings(it: IngressBench) {
  return { it, bus: it.bus, objects: it.objects };
}

async function uploadAs(it: IngressBench, id: string, queueKey?: string): Promise<Exchange> {
  const parts = [filePart(`archive ${id}`), ...(queueKey === undefined ? [] : [metadataPart({ queue_key: queueKey })])];
  return await upload(it, parts, { headers: { [HEADER_REQUEST_ID]: id } });
}

function announcedIds(bus: IngressBench['bus']): string[] {
  return bus
    .of(TOPIC_UPLOAD_ANNOUNCE)
    .map(({ value }) => (JSON.parse(String(value)) as { request_id: string }).request_id);
}

async function outboxKeys(objects: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of objects.list('outbox/')) keys.push(key);
  return keys;
}

/** Time goes on until so many announcements were taken: a turn of the relay that meets one that is still under way is left out. */
async function announcedInTime({ it, clock }: { it: IngressBench; clock: ManualClock }, count: number) {
  while (it.bus.of(TOPIC_UPLOAD_ANNOUNCE).length < count) await clock.advance(relayEveryMs);
  return await it.bus.taken(TOPIC_UPLOAD_ANNOUNCE, count);
}

describe('while the bus is away', () => {
  test('uploads are accepted and their announcements kept; they go out in order when it is back', async (t) => {
    const { clock, it, bus, objects } = await bench(t);
    bus.mode = 'down';
    const ids = ['id1', 'id2', 'id3'];
    for (const id of ids) {
      assert.equal((await uploadAs(it, id, `key of ${id}`)).status, 202);
      await clock.advance(10);
    }
    assert.equal((await outboxKeys(objects)).length, 3);
    assert.deepEqual(announcedIds(bus), []);
    assert.equal(await it.ingress.idle(), false);
    await clock.advance(relayEveryMs);
    await until(async () => (await it.metric('ingress_kafka_produce_failures', { topic: TOPIC_UPLOAD_ANNOUNCE })) >= 2);
    assert.equal((await outboxKeys(objects)).length, 3, 'a failed attempt loses nothing');

    bus.mode = 'up';
    const records = await announcedInTime({ it, clock }, 3);
    assert.deepEqual(announcedIds(bus), ids);
    assert.deepEqual(
      records.map(({ key }) => key),
      ids.map((id) => `key of ${id}`),
    );
    assert.ok(records.every(({ headers }) => headers?.['service'] === 'openshift'));
    await clock.advance(statusRetryMsMax);
    await until(() => it.ingress.idle());
    assert.deepEqual(await outboxKeys(objects), []);
    assert.equal(await it.metric('ccx_ingress_announcements_kept_total'), 3);
    assert.equal(await it.metric('ccx_ingress_announcements_relayed_total'), 3);
    assert.equal(await it.metric('ingress_message_produced', { service: 'openshift' }), 3);
  });

  test('an upload whose link cannot be signed is kept, too, and goes out once it can', async (t) => {
    const login = { works: false };
    const signLink = async (key: string, lifeMs: number) => {
      if (!login.works && key === 'id1')
        throw new CcxError('no login', { code: 'OBJECTS_LOGIN', category: 'configuration' });
      return { url: `https://bucket.example/${key}`, lifeMs };
    };
    const { clock, it, bus, objects } = await bench(t, {
      objects: (store) => ({
        put: (key, body) => store.put(key, body),
        get: (key, range) => store.get(key, range),
        delete: (key) => store.delete(key),
        list: (prefix) => store.list(prefix),
        check: () => store.check(),
        signLink,
      }),
    });
    assert.equal((await uploadAs(it, 'id1')).status, 202);
    assert.equal((await outboxKeys(objects)).length, 1);
    login.works = true;
    const [record] = await announcedInTime({ it, clock }, 1);
    assert.match(String(record?.value), /https:\/\/bucket\.example\/id1/);
    assert.deepEqual(bus.of(TOPIC_UPLOAD_ANNOUNCE).length, 1);
  });

  test('more than one batch goes out, and a new upload does not overtake', async (t) => {
    const { clock, it, bus, objects } = await bench(t);
    bus.mode = 'down';
    await uploadAs(it, 'first');
    const [sample] = await outboxKeys(objects);
    const outbox = await Outbox.open({ ...it.settings, objects, clock });
    const kept = await outbox.read(String(sample));
    assert.ok(kept);
    const ids = Array.from({ length: relayRecordsMax + 5 }, (_, n) => `id${n}`);
    const keep = (id: string) =>
      outbox.keep({ ...kept, requestId: id, announcement: { ...kept.announcement, request_id: id } });
    await Promise.all(ids.map(keep));
    await it.restart();
    bus.mode = 'up';
    assert.equal((await uploadAs(it, 'last')).status, 202);
    assert.deepEqual(announcedIds(bus), []);
    await announcedInTime({ it, clock }, ids.length + 2);
    assert.deepEqual(announcedIds(bus), ['first', ...ids, 'last']);
  });

  test('a link that waited is made anew', async (t) => {
    const { clock, it, bus } = await bench(t);
    bus.mode = 'down';
    await uploadAs(it, 'id1');
    clock.setNow(new Date(clock.now().getTime() + linkLifetimeMs + 60_000));
    bus.mode = 'up';
    const [record] = await announcedInTime({ it, clock }, 1);
    const { url, timestamp } = JSON.parse(String(record?.value)) as { url: string; timestamp: string };
    assert.equal((await send(url)).text, 'archive id1');
    assert.match(timestamp, /^2026-11-21T16:00:00/, 'the time stays the one of the upload');
  });

  test('it is ready, and says what waits', async (t) => {
    const { it, bus } = await bench(t);
    bus.mode = 'down';
    await uploadAs(it, 'id1');
    assert.deepEqual(await it.ingress.readiness(), { ready: true, reasons: [] });
    const ready = await send(`${it.ingress.baseUrl}/ready`);
    assert.equal(ready.status, 200);
    assert.deepEqual((JSON.parse(ready.text) as { notes: string[] }).notes, [
      '1 announcements wait in the outbox: the bus is away',
    ]);
  });

  test('it starts', async (t) => {
    const { clock, it, bus } = await bench(t, { busMode: 'down' });
    assert.equal((await uploadAs(it, 'id1')).status, 202);
    bus.mode = 'up';
    await announcedInTime({ it, clock }, 1);
  });
});

describe('the outbox', () => {
  test('takes its bound and not one more: then uploads are answered 503', async (t) => {
    const { clock, it, bus, objects } = await bench(t, { settings: { outboxEntriesMax: 2 } });
    bus.mode = 'down';
    assert.equal((await uploadAs(it, 'id1')).status, 202);
    assert.equal((await uploadAs(it, 'id2')).status, 202);
    const refused = await uploadAs(it, 'id3');
    assert.equal(refused.status, 503);
    assert.match(String(refused.headers['retry-after']), /^\d+$/);
    assert.deepEqual(await archiveKeys(objects), ['id1', 'id2'], 'told before anything is stored');
    const ready = await send(`${it.ingress.baseUrl}/ready`);
    assert.equal(ready.status, 503);
    assert.equal((await it.ingress.readiness()).ready, false);

    bus.mode = 'up';
    await announcedInTime({ it, clock }, 2);
    await until(async () => (await it.ingress.readiness()).ready);
    assert.equal((await uploadAs(it, 'id4')).status, 202);
  });

  test('is bounded in bytes, too, and may be configured away', async (t) => {
    const { it, bus } = await bench(t, { settings: { outboxBytesMax: 100 } });
    bus.mode = 'down';
    assert.equal((await uploadAs(it, 'id1')).status, 202);
    assert.equal((await uploadAs(it, 'id2')).status, 503);
    const none = await bench(t, { settings: { outboxEntriesMax: 0 } });
    assert.equal((await uploadAs(none.it, 'id1')).status, 202);
    none.bus.mode = 'down';
    assert.equal((await uploadAs(none.it, 'id2')).status, 503);
    assert.deepEqual(announcedIds(none.bus), ['id1']);
  });

  test('that cannot be written to is a 503: the client is not told of a success that may be lost', async (t) => {
    const { it, bus } = await bench(t, {
      objects: (store) => ({
        put: async (key, body) => {
          if (key.startsWith('outbox/'))
            throw new CcxError('away', { code: 'OBJECTS_UNAVAILABLE', category: 'storage', retryable: true });
          return await store.put(key, body);
        },
        get: (key, range) => store.get(key, range),
        delete: (key) => store.delete(key),
        list: (prefix) => store.list(prefix),
        check: () => store.check(),
      }),
    });
    bus.mode = 'down';
    assert.equal((await uploadAs(it, 'id1')).status, 503);
    bus.mode = 'up';
    assert.equal((await uploadAs(it, 'id2')).status, 202);
    assert.deepEqual(announcedIds(bus), ['id2']);
  });

  test('survives a restart under the same name', async (t) => {
    const { clock, it, bus } = await bench(t);
    bus.mode = 'down';
    for (const id of ['id1', 'id2']) await uploadAs(it, id);
    await it.restart();
    bus.mode = 'up';
    await announcedInTime({ it, clock }, 2);
    assert.deepEqual(announcedIds(bus), ['id1', 'id2']);
  });

  test('of another process is left to it, until it has lain there while the bus worked', async (t) => {
    const { clock, it, bus, objects } = await bench(t, { settings: { instance: 'gone' } });
    bus.mode = 'down';
    await uploadAs(it, 'id1');
    const others = await openDirectoryStore({ path: it.path, clock, freeBytesMin: 0 });
    const settings = { ...it.settings, instance: 'living' };
    await it.ingress.stop();
    const living = await startIngress(settings, { bus, objects: others, telemetry: createSilentTelemetry(), clock });
    t.after(async () => {
      await living.stop();
      await others.close();
    });
    const pass = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += relayEveryMs) await clock.advance(relayEveryMs);
    };
    await pass(2 * orphanAfterMs);
    assert.equal(
      (await outboxKeys(objects)).length,
      1,
      'while the bus is away nobody can tell whether the owner lives',
    );
    bus.mode = 'up';
    await pass(orphanScanEveryMs);
    assert.deepEqual(announcedIds(bus), [], 'the owner comes first');
    await pass(orphanAfterMs + 2 * orphanScanEveryMs);
    await announcedInTime({ it, clock }, 1);
    assert.deepEqual(announcedIds(bus), ['id1']);
  });

  test('is not held up by an entry that the bus will never take, nor by one that nobody understands', async (t) => {
    const { clock, it, bus, objects } = await bench(t);
    bus.mode = 'down';
    for (const id of ['id1', 'huge', 'id3']) await uploadAs(it, id);
    const [first] = await outboxKeys(objects);
    await objects.put(String(first), Buffer.from('{"no":"announcement"}'));
    bus.isRefused = ({ value }) => String(value).includes('"huge"');
    bus.mode = 'up';
    await announcedInTime({ it, clock }, 1);
    await until(async () => (await outboxKeys(objects)).length === 0);
    assert.deepEqual(announcedIds(bus), ['id3']);
    const aside: string[] = [];
    for await (const { key } of objects.list('ingress/unsendable-')) aside.push(key);
    assert.equal(aside.length, 2, 'they are kept for a person to look at');
    assert.equal(await it.metric('ccx_ingress_announcements_set_aside_total'), 2);
  });
});

describe('a bus that does not answer', () => {
  async function waitedInVain(t: TestContext) {
    const { clock, it, bus, objects } = await bench(t);
    bus.mode = 'silent';
    const answering = uploadAs(it, 'id1');
    await until(async () => (await it.metric('ingress_kafka_producer_go_routine_count')) >= 1);
    await clock.advance(announceMsMax);
    assert.equal((await answering).status, 202);
    return { clock, it, bus, objects };
  }

  test('is waited for until the deadline; then the announcement is kept', async (t) => {
    const { clock, bus, objects } = await waitedInVain(t);
    assert.equal((await outboxKeys(objects)).length, 1);
    // The first attempt arrives after all: the copy must not go out, too.
    bus.answer();
    await bus.taken(TOPIC_UPLOAD_ANNOUNCE, 1);
    await until(async () => (await outboxKeys(objects)).length === 0);
    await clock.advance(relayEveryMs);
    assert.deepEqual(announcedIds(bus), ['id1']);
  });

  test('does not make the next upload wait as well', async (t) => {
    const { it, bus, objects } = await waitedInVain(t);
    assert.equal((await uploadAs(it, 'id2')).status, 202);
    assert.equal((await outboxKeys(objects)).length, 2);
    bus.answer();
  });
});

test('an announcement that the bus will never take is a 500, and nothing waits for it', async (t) => {
  const { it, bus, objects } = await bench(t);
  bus.isRefused = ({ topic }) => topic === TOPIC_UPLOAD_ANNOUNCE;
  assert.equal((await uploadAs(it, 'id1')).status, 500);
  assert.deepEqual(await outboxKeys(objects), []);
});

test('stopping finishes what the bus takes in time', async (t) => {
  const { it, bus } = await bench(t);
  bus.mode = 'down';
  await uploadAs(it, 'id1');
  bus.mode = 'up';
  await it.ingress.stop();
  assert.deepEqual(announcedIds(bus), ['id1']);
});

test('an upload that is in work when the stop begins is announced with a link that leads here', async (t) => {
  const { it, bus } = await bench(t);
  const { baseUrl } = it.ingress;
  const bytes = form([filePart(Buffer.alloc(100_000, 7))]);
  let stopping: Promise<void> | undefined;
  const answer = await send(`${baseUrl}/api/ingress/v1/upload`, {
    method: 'POST',
    headers: {
      'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
      'x-rh-identity': userIdentity,
      [HEADER_REQUEST_ID]: 'id1',
    },
    body: (async function* () {
      yield bytes.subarray(0, 50_000);
      await until(async () => !(await it.ingress.idle()));
      stopping = it.ingress.stop();
      await until(() =>
        send(`${baseUrl}/ready`).then(
          () => false,
          () => true,
        ),
      );
      yield bytes.subarray(50_000);
    })(),
  });
  await stopping;
  assert.equal(answer.status, 202);
  const [announced] = bus.of(TOPIC_UPLOAD_ANNOUNCE);
  assert.equal(new URL((JSON.parse(String(announced?.value)) as { url: string }).url).origin, baseUrl);
});

test('a start that fails leaves nothing open', async (t) => {
  const { it, bus, objects, clock } = await bench(t);
  const taken = Number(new URL(it.ingress.baseUrl).port);
  const settings = { ...it.settings, webPort: taken };
  await assert.rejects(startIngress(settings, { bus, objects, telemetry: createSilentTelemetry(), clock }), {
    code: 'HTTP_LISTEN',
  });
});
