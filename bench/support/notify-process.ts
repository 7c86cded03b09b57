/**
 * Entry of a process whose work, CPU and memory are measured by themselves: a first run of the notification service, or the least that
 * has to be done with the same bytes. Started by `bench/notify.ts`, ends with it.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { TABLE_NEW_REPORTS, TABLE_REPORTED } from '../../src/contracts/tables.ts';
import { HEADER_MESSAGE_ID } from '../../src/contracts/topics.ts';
import { errorText } from '../../src/encoding/ccx-error.ts';
import type { Bus } from '../../src/platform/bus/bus.ts';
import { createKafkaBus } from '../../src/platform/bus/kafka/kafka-bus.ts';
import { plaintext } from '../../src/platform/bus/kafka/kafka-security.ts';
import { createPostgresBus } from '../../src/platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { loadConfig } from '../../src/platform/config/load-config.ts';
import { connectDatabase } from '../../src/platform/database/connect-database.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { Lifecycle } from '../../src/platform/lifecycle/lifecycle.ts';
import { createSilentTelemetry } from '../../src/platform/telemetry/telemetry.ts';
import { CATALOG_CONTENT_ROOT } from '../../src/rules/catalog/content-root.ts';
import { createFolderContent } from '../../src/rules/content/folder-content.ts';
import { notificationServiceRole, startNotificationService } from '../../src/services/notification-service/service.ts';
import { createKafkaTarget } from '../../src/services/notification-service/targets/kafka-target/kafka-target.ts';

export interface NotifyOrder {
  readonly databaseUrl: string;
  /** Of Kafka; absent: the embedded bus in the same database. */
  readonly brokers?: readonly string[] | undefined;
  readonly topic: string;
  /** `floor`: reports read page by page, a message of the usual size produced for each, `reported` filled by COPY. */
  readonly work: 'service' | 'floor';
}

export type NotifyAnswer =
  | { readonly answer: 'done'; readonly clusters: number; readonly elapsedMs: number }
  | { readonly answer: 'ready' }
  | { readonly answer: 'failed'; readonly error: string };

const clock = createSystemClock();
const lifecycle = new Lifecycle(clock);
let work: (() => Promise<number>) | undefined;

process.on('message', (order: NotifyOrder | 'go') => {
  (order === 'go' ? measure() : prepare(order)).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ answer: 'failed', error: errorText(error) } satisfies NotifyAnswer),
  );
});
process.on('SIGINT', () => undefined);
process.on('disconnect', () => void lifecycle.stop());

async function prepare({ databaseUrl, brokers, topic, work: wanted }: NotifyOrder): Promise<NotifyAnswer> {
  const database = connectDatabase({ url: databaseUrl, applicationName: `ccx bench ${wanted}` });
  lifecycle.defer('database', () => database.close());
  const bus =
    brokers === undefined
      ? await createPostgresBus({ database, clock })
      : createKafkaBus({ brokers, clientId: 'bench', security: plaintext, clock });
  lifecycle.defer('bus', () => bus.close());
  work = wanted === 'floor' ? await floor(database, bus, topic) : await service(database, bus, topic);
  return { answer: 'ready' };
}

async function measure(): Promise<NotifyAnswer> {
  const startedMs = clock.monotonicMs();
  const clusters = await work!();
  return { answer: 'done', clusters, elapsedMs: clock.monotonicMs() - startedMs };
}

async function service(database: Database, bus: Bus, topic: string): Promise<() => Promise<number>> {
  const { config } = loadConfig(notificationServiceRole.options, { env: {} });
  const settings = notificationServiceRole.settings(config, 'once');
  const target = await createKafkaTarget(
    {
      clusterDetailsUri: config['notifications.cluster_details_uri'],
      ruleDetailsUri: config['notifications.rule_details_uri'],
      recordBytesMax: config['bus.record_bytes_max'],
      topic,
    },
    { bus, clock },
  );
  lifecycle.defer('target', () => target.close());
  const started = await startNotificationService(
    { ...settings, firstRun: { ...settings.firstRun, messagesMax: 0 } },
    {
      ...{ database, clock },
      telemetry: createSilentTelemetry('notifier'),
      content: createFolderContent({ folder: CATALOG_CONTENT_ROOT, setting: 'none' }),
      targets: [target],
    },
  );
  lifecycle.defer('notification service', () => started.stop());
  return async () => (await started.runOnce()).delivered;
}

const pageClusters = 500;
/** Of the message that the service sends about one issue. */
const messageBytes = 750;

async function floor(database: Database, bus: Bus, topic: string): Promise<() => Promise<number>> {
  const producer = await bus.createProducer();
  lifecycle.defer('producer', () => producer.close());
  return async () => {
    let clusters = 0;
    let stored: Promise<unknown> = Promise.resolve();
    for (let after = ''; ; ) {
      const { rows } = await database.query<{ cluster: string; report: string; updated_at: string }>(
        `SELECT rtrim(cluster) AS cluster, report, updated_at FROM ${TABLE_NEW_REPORTS}
          WHERE org_id = 1 AND cluster > $1::bpchar ORDER BY org_id, cluster LIMIT ${pageClusters}`,
        [after],
      );
      await stored;
      if (rows.length === 0) return clusters;
      clusters += rows.length;
      after = rows.at(-1)!.cluster;
      stored = Promise.all([
        producer.send(
          rows.map(({ cluster }) => ({
            topic,
            key: cluster,
            value: cluster.padEnd(messageBytes, '-'),
            headers: { [HEADER_MESSAGE_ID]: cluster },
          })),
        ),
        copyRows(database, rows),
      ]);
    }
  };
}

async function copyRows(
  database: Database,
  rows: readonly { readonly cluster: string; readonly report: string; readonly updated_at: string }[],
): Promise<void> {
  const notifiedAt = clock.now().toISOString().slice(0, -1);
  const text = rows
    .map(
      ({ cluster, report, updated_at }) =>
        `1\t0\t${cluster}\t1\t1\t${report.replaceAll('\\', '\\\\')}\t${updated_at}\t${notifiedAt}\t\t1\n`,
    )
    .join('');
  await database.withConnection(({ client }) =>
    pipeline(
      Readable.from([text]),
      client.query(
        copyFrom(
          `COPY ${TABLE_REPORTED} (org_id, account_number, cluster, notification_type, state, report, updated_at, notified_at,
                                   error_log, event_type_id) FROM STDIN`,
        ),
      ),
    ),
  );
}
