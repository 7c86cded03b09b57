/** The writer on a real Kafka: what it promises on the embedded bus it keeps there, the dead-letter topic that nobody made included. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openTestKafkaBus } from '../../../test/support/kafka.ts';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { reportMessage } from '../../../test/support/report-messages.ts';
import { until } from '../../../test/support/until.ts';
import type { PayloadStatusMessage } from '../../contracts/payload-status.ts';
import type { Bus } from '../../platform/bus/bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import type { RunningService } from '../../platform/lifecycle/lifecycle.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import { type NotificationWriterSettings, notificationWriterOptions, notificationWriterSettings } from './config.ts';
import { startNotificationWriter } from './service.ts';

const clock = createSystemClock();
let context: TestDatabase;
let bus: Bus;

before(async () => {
  context = await createTestDatabase({ migrated: true });
  bus = await openTestKafkaBus();
});
after(async () => {
  await bus.close();
  await context.drop();
});

async function start(name: string, change: Partial<NotificationWriterSettings> = {}): Promise<RunningService> {
  const settings = notificationWriterSettings(loadConfig(notificationWriterOptions, { env: {} }).config);
  const topics = { topic: name, statusesTopic: `${name}-status`, deadLettersTopic: `${name}-dead` };
  return await startNotificationWriter(
    { ...settings, ...topics, groupId: name, ...change },
    { bus, database: context.database, telemetry: createSilentTelemetry('writer'), clock },
  );
}

async function send(topic: string, ...values: string[]): Promise<void> {
  const producer = await bus.createProducer();
  await producer.send(values.map((value) => ({ topic, value })));
  await producer.close();
}

const organizations = async () => {
  const { rows } = await context.database.query<{ org_id: number }>('SELECT org_id FROM new_reports ORDER BY org_id');
  return rows.map(({ org_id }) => org_id);
};

test('stores, recognises, dead-letters and reports, then goes on where it stopped', async () => {
  const topic = `writer-${clock.uuid()}`;
  await bus.admin.ensureTopics([topic, `${topic}-status`].map((name) => ({ name, partitions: 1 })));
  await send(
    topic,
    reportMessage({ OrgID: '1' }),
    'bad',
    reportMessage({ OrgID: '2' }),
    reportMessage({ OrgID: '3', RequestId: '"other"' }),
  );
  const first = await start(topic);
  await until(() => first.idle());
  assert.deepEqual(await organizations(), [1, 3], 'the second is a repeat of the first');
  await first.stop();
  const letters = await bus.admin.read({ topic: `${topic}-dead`, partition: 0, offset: 0n }, 10);
  assert.deepEqual(
    letters.map(({ value }) => String(value)),
    ['bad'],
  );
  const statuses = await bus.admin.read({ topic: `${topic}-status`, partition: 0, offset: 0n }, 100);
  assert.deepEqual(
    statuses
      .map(({ value }) => JSON.parse(String(value)) as PayloadStatusMessage)
      .filter(({ request_id }) => request_id === 'other')
      .map(({ status }) => status),
    ['received', 'processed', 'success'],
  );

  await send(topic, reportMessage({ OrgID: '4', RequestId: '"later"' }));
  const second = await start(topic);
  await until(() => second.idle());
  assert.deepEqual(await organizations(), [1, 3, 4]);
  await second.stop();
});

test('a group that starts at the newest message keeps that place although nothing was processed', async () => {
  const topic = `writer-${clock.uuid()}`;
  await bus.admin.ensureTopics([{ name: topic, partitions: 1 }]);
  await send(topic, reportMessage({ OrgID: '11', RequestId: '"before"' }));
  const first = await start(topic, { startAt: 'latest', statusesTopic: '' });
  await until(async () => (await bus.admin.lag(topic, [topic]))[0]?.committed === 1n);
  await first.stop();
  await send(topic, reportMessage({ OrgID: '12', RequestId: '"between"' }));
  const second = await start(topic, { startAt: 'latest', statusesTopic: '' });
  await until(() => second.idle());
  assert.deepEqual(
    (await organizations()).filter((org) => org > 10),
    [12],
  );
  await second.stop();
});
