/** The trace table: what goes in comes out, once, whatever the texts hold; and it stays within its bounds. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import type { TraceEvent } from '../../contracts/trace-event.ts';
import { migrateCcx } from '../database/ccx-migrations.ts';
import { sliceRowsMax } from '../database/delete-old-rows.ts';
import { pruneTrace, readTrace, recordTraceEvents, traceDetailBytesMax, traceReadRowsMax } from './trace-log.ts';

let context: TestDatabase;
before(async () => {
  context = await createTestDatabase();
  await migrateCcx(context.database, 'trace');
});
after(() => context.drop());
beforeEach(() => context.database.query('DELETE FROM ccx.trace'));

const event: TraceEvent = {
  requestId: '766bd49580ce4ed489ec04e35fc7edac',
  service: 'ingress',
  status: 'received',
  at: '2026-11-21T16:00:03.512345Z',
};

async function read(requestId: string) {
  return (await readTrace(context.database, requestId)).map(({ id, recordedAt, ...known }) => {
    assert.equal(typeof id, 'bigint');
    assert.match(recordedAt, /^\d{4}-.*Z$/);
    return known;
  });
}

async function count(): Promise<number> {
  const { rows } = await context.database.query<{ count: bigint }>('SELECT count(*) AS count FROM ccx.trace');
  return Number(rows[0]?.count);
}

test('an event comes back as it was told, with everything it knew and nothing more', async () => {
  const full: TraceEvent = {
    ...event,
    status: 'success',
    hop: 2,
    detail: 'Sent to validation service: openshift',
    orgId: '000001',
    account: '0000001',
    cluster: '5d5892d3-1f74-4ccf-91af-548dfc9767aa',
    source: 'inventory',
    inventoryId: 'i',
    systemId: 's',
    at: '2026-11-21T16:00:04Z',
  };
  await recordTraceEvents(context.database, [full, event]);
  assert.deepEqual(await read(event.requestId), [event, full]);
});

test('the same event told again is not told twice, alone or within one batch', async () => {
  await recordTraceEvents(context.database, [event, event, { ...event, detail: 'later words' }]);
  await recordTraceEvents(context.database, [event]);
  assert.deepEqual(await read(event.requestId), [event]);
  const others = [
    { ...event, service: 'x' },
    { ...event, status: 'x' },
    { ...event, at: '2026-11-21T16:00:03.512346Z' },
  ];
  await recordTraceEvents(context.database, others);
  assert.equal(await count(), 4);
});

test('events come back in order of time, then of hop', async () => {
  const at = '2026-11-21T16:00:05Z';
  await recordTraceEvents(context.database, [
    { ...event, status: 'b', hop: 8, at },
    { ...event, status: 'a', hop: 7, at },
    event,
  ]);
  assert.deepEqual(
    (await read(event.requestId)).map(({ status }) => status),
    ['received', 'a', 'b'],
  );
});

test('a request that is a UUID is found in every spelling', async () => {
  const hyphenated = '766bd495-80ce-4ed4-89ec-04e35fc7edac';
  await recordTraceEvents(context.database, [event, { ...event, requestId: hyphenated, status: 'success' }]);
  for (const spelling of [
    event.requestId,
    hyphenated,
    `urn:uuid:${hyphenated}`,
    `{${hyphenated}}`,
    hyphenated.toUpperCase(),
  ])
    assert.equal((await read(spelling)).length, 2, spelling);
  assert.deepEqual(await read('766bd495'), []);
});

test('texts that the table cannot hold are made fit, and their requests are still found', async () => {
  const hostile = `\0${'é'.repeat(10_000)}`;
  await recordTraceEvents(context.database, [
    {
      ...event,
      requestId: hostile,
      service: hostile,
      status: hostile,
      detail: hostile,
      orgId: hostile,
      cluster: '\ud800',
    },
    event,
  ]);
  const [stored] = await read(hostile);
  assert.match(stored?.requestId ?? '', /^sha256:[0-9a-f]{64}$/);
  assert.equal(stored?.service.length, 1 + Math.floor((255 - 3) / 2));
  assert.equal(stored?.cluster, '\ufffd');
  assert.ok(Buffer.byteLength(stored?.detail ?? '') <= traceDetailBytesMax);
  assert.equal((await read(event.requestId)).length, 1);
});

test('an event without a request or without a readable time is left out', async () => {
  await recordTraceEvents(context.database, []);
  await recordTraceEvents(context.database, [
    { ...event, requestId: '' },
    { ...event, at: 'soon' },
    { ...event, at: '0000-12-31T23:59:59.999999Z' },
  ]);
  assert.equal(await count(), 0);
  await recordTraceEvents(context.database, [
    { ...event, at: '0001-01-01T00:00:00Z' },
    { ...event, at: '9999-12-31T23:59:59.999999Z' },
  ]);
  assert.deepEqual(
    (await read(event.requestId)).map(({ at }) => at),
    ['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z'],
  );
});

test('a trace is read up to its limit, oldest first', async () => {
  await context.database.query(
    `INSERT INTO ccx.trace (request_id, service, status, happened_at)
     SELECT 'many', 's', i::text, timestamp '2026-01-01' + i * interval '1 second' FROM generate_series(1, $1::int) AS i`,
    [traceReadRowsMax + 1],
  );
  const events = await read('many');
  assert.equal(events.length, traceReadRowsMax);
  assert.equal(events[0]?.status, '1');
});

test('events past their age go, in as many portions as it takes, and the others stay', async () => {
  const old = 2 * sliceRowsMax + 1;
  await context.database.query(
    `INSERT INTO ccx.trace (request_id, service, status, happened_at, recorded_at)
     SELECT 'old', 's', i::text, '2990-01-01', (now() AT TIME ZONE 'UTC') - interval '61 minutes' FROM generate_series(1, $1::int) AS i`,
    [old],
  );
  await recordTraceEvents(context.database, [{ ...event, at: '1990-01-01T00:00:00Z' }]);
  assert.equal(await pruneTrace(context.database, { ageMs: 3_600_000, rowsMax: 1_000_000 }), old);
  assert.equal(await count(), 1);
});

test('past the number of rows the oldest go', async () => {
  await context.database.query(
    `INSERT INTO ccx.trace (request_id, service, status, happened_at, recorded_at)
     SELECT 'r', 's', i::text, now(), (now() AT TIME ZONE 'UTC') - (100 - i) * interval '1 second' FROM generate_series(1, 100) AS i`,
  );
  // The server's count of rows is what the bound is compared with.
  await context.database.query('ANALYZE ccx.trace');
  await pruneTrace(context.database, { ageMs: 3_600_000, rowsMax: 40 });
  const { rows } = await context.database.query<{ first: number; count: bigint }>(
    'SELECT min(status::int) AS first, count(*) AS count FROM ccx.trace',
  );
  assert.deepEqual(rows, [{ first: 61, count: 40n }]);
});
