/** The notification writer on a bus in its own database, with what a test asks of it: to send, to wait until all is handled, to look at what became of it. */
import { parseDeadLetterHeaders } from '../../src/contracts/dead-letter.ts';
import { type BusRecord, headerText } from '../../src/platform/bus/bus.ts';
import { createPostgresBus } from '../../src/platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { loadConfig } from '../../src/platform/config/load-config.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { createSilentTelemetry, type Telemetry } from '../../src/platform/telemetry/telemetry.ts';
import {
  type NotificationWriterSettings,
  notificationWriterOptions,
  notificationWriterSettings,
} from '../../src/services/notification-writer/config.ts';
import { startNotificationWriter } from '../../src/services/notification-writer/service.ts';
import { until } from './until.ts';

interface WriterBenchOptions {
  /** With the notification schema; holds the bus, too. */
  readonly database: Database;
  readonly telemetry?: Telemetry;
  readonly change?: Partial<NotificationWriterSettings>;
}

interface StoredRow {
  readonly org_id: number;
  readonly account_number: number;
  readonly cluster: string;
  readonly report: string;
  readonly updated_at: string;
  readonly kafka_offset: bigint;
}

export type WriterBench = Awaited<ReturnType<typeof startWriterBench>>;

/** The caller closes it. */
export async function startWriterBench({
  database,
  telemetry = createSilentTelemetry('writer'),
  change,
}: WriterBenchOptions) {
  const clock = createSystemClock();
  const topics = { topic: 'in', deadLettersTopic: 'dead', statusesTopic: 'status' };
  const bus = await createPostgresBus({ database, clock });
  await bus.admin.ensureTopics(Object.values(topics).map((name) => ({ name, partitions: 1 })));
  const defaults = notificationWriterSettings(loadConfig(notificationWriterOptions, { env: {} }).config);
  const settings = { ...defaults, ...topics, ...change };
  const service = await startNotificationWriter(settings, { bus, database, telemetry, clock });
  const read = (topic: string): Promise<readonly BusRecord[]> =>
    bus.admin.read({ topic, partition: 0, offset: 0n }, 10_000);
  return {
    /** Resolves when all of them are handled. */
    async handle(values: readonly (string | Buffer | null)[]): Promise<void> {
      const producer = await bus.createProducer();
      await producer.send(values.map((value) => ({ topic: settings.topic, value })));
      await producer.close();
      await until(() => service.idle());
    },
    async rows(): Promise<readonly StoredRow[]> {
      return (await database.query<StoredRow>('SELECT * FROM new_reports ORDER BY kafka_offset, updated_at')).rows;
    },
    async deadLetters() {
      return (await read(settings.deadLettersTopic)).map(({ value, ...record }) => ({
        value,
        ...parseDeadLetterHeaders((name) => headerText(record, name))!,
      }));
    },
    async statuses(): Promise<readonly string[]> {
      return (await read(settings.statusesTopic)).map(
        ({ value }) => (JSON.parse(String(value)) as { status: string }).status,
      );
    },
    async committed(): Promise<bigint | null | undefined> {
      return (await bus.admin.lag(settings.groupId, [settings.topic]))[0]?.committed;
    },
    /** Samples of one metric; of a counter without labels there is one. */
    async metric(name: string) {
      return (await telemetry.registry.getSingleMetric(name)!.get()).values;
    },
    async close(): Promise<void> {
      await service.stop();
      await bus.close();
    },
  };
}
