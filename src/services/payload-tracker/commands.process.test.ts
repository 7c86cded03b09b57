/** `ccx trace` as its user runs it, on what a tracker has kept. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runCcx } from '../../../test/support/ccx-process.ts';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { createPostgresBus } from '../../platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import { settingsOf } from '../../platform/config/options.ts';
import { recordTraceEvents } from '../../platform/records/trace-log.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import { payloadTrackerOptions } from './config.ts';
import { startPayloadTracker } from './service.ts';

const request = '766bd49580ce4ed489ec04e35fc7edac';
const fromIngress = { service: 'ingress', account: '0000001', org_id: '000001', request_id: request };
const statuses = [
  { status: 'received', status_msg: 'Payload received by ingress', date: '2026-11-21T16:00:03.5Z' },
  { status: 'success', status_msg: 'Sent to validation service: openshift', date: '2026-11-21T16:00:04Z' },
];

let context: TestDatabase;
before(async () => {
  context = await createTestDatabase();
  await keepStatuses();
  await recordTraceEvents(context.database, [
    {
      requestId: request,
      service: 'ccx-notification-writer',
      status: 'message-dead-lettered',
      detail: 'REPORT_STRUCTURE: no',
      at: '2026-11-21T16:00:09Z',
    },
  ]);
});
after(() => context.drop());

async function keepStatuses(): Promise<void> {
  const clock = createSystemClock();
  const bus = await createPostgresBus({ database: context.database, clock, pollEveryMs: 50 });
  const settings = settingsOf(payloadTrackerOptions, loadConfig(payloadTrackerOptions, { env: {} }).config);
  await bus.admin.ensureTopics([settings.topic, settings.deadLettersTopic].map((name) => ({ name, partitions: 1 })));
  const tracker = await startPayloadTracker(
    { ...settings, http: { host: '127.0.0.1', port: 0 } },
    { bus, database: context.database, telemetry: createSilentTelemetry('tracker'), clock },
  );
  const producer = await bus.createProducer();
  await producer.send(
    statuses.map((status) => ({ topic: settings.topic, value: JSON.stringify({ ...fromIngress, ...status }) })),
  );
  await producer.close();
  while (!(await tracker.idle())) await clock.sleep(10);
  await tracker.stop();
  await bus.close();
}

test("it tells a request's way in words and in JSON, and says when nothing is known", async () => {
  const run = (...args: string[]) => runCcx(['trace', ...args, '--database', context.url]);
  const told = await run(request);
  assert.equal(told.code, 0, told.stderr);
  assert.match(told.stdout, /hop 2 {2}ingress +archive stored and announced/);
  assert.match(
    told.stdout,
    /stopped after hop 2, .*ccx-notification-writer: message-dead-lettered, REPORT_STRUCTURE: no/,
  );
  const json = await run(request, '--json');
  const story = JSON.parse(json.stdout) as { reachedHop: number; ending: { kind: string }; lines: unknown[] };
  assert.deepEqual([story.reachedHop, story.ending.kind, story.lines.length], [2, 'failed', 3]);
  const unknown = await run('nobody-knows');
  assert.equal(unknown.code, 1);
  assert.equal(unknown.stdout, '');
  assert.match(unknown.stderr, /^nothing is known of request "nobody-knows"/);
});
