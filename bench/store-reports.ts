/**
 * What storing a report costs beyond its row: messages that lie in a topic of the embedded bus through the whole writer (poll, parse, check,
 * recognise repeats, store, trace, statuses, commit), against one `COPY` of the same rows into a table with the same indexes, and against
 * the writer with batches of one message, as the reference works.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { TABLE_NEW_REPORTS, TABLE_REPORT_FACTS } from '../src/contracts/tables.ts';
import type { Bus, OutgoingRecord } from '../src/platform/bus/bus.ts';
import { createPostgresBus } from '../src/platform/bus/postgres/postgres-bus.ts';
import { loadConfig } from '../src/platform/config/load-config.ts';
import type { Database } from '../src/platform/database/database.ts';
import {
  BUSINESS_EVENT_CHANNEL,
  type BusinessEvent,
  createSilentTelemetry,
} from '../src/platform/telemetry/telemetry.ts';
import { notificationWriterRole, startNotificationWriter } from '../src/services/notification-writer/service.ts';
import type { BenchContext, Benchmark, Contender } from './support/benchmark.ts';
import { copyLine, reportMessages } from './support/report-messages.ts';

const copyTable = 'bench_new_reports';

interface Parts {
  readonly context: BenchContext;
  readonly database: Database;
  readonly bus: Bus;
}

export const benchmark: Benchmark = {
  description: 'the writer from bus to table against COPY of the same rows, and against itself with batches of one',
  async run(context) {
    const { clock, lifecycle } = context;
    const { database } = await context.createDatabase();
    const bus = await createPostgresBus({ database, clock });
    lifecycle.defer('bus', () => bus.close());
    await database.query(`CREATE TABLE ${copyTable} (LIKE ${TABLE_NEW_REPORTS} INCLUDING ALL)`);
    const parts = { context, database, bus };
    const messages = context.size(2_000, 20);
    const comparison = await context.compare({
      title: 'storing reports',
      unit: 'reports',
      budgetMs: 15_000,
      subject: await writerContender(parts, { name: 'writer', messages }),
      baselines: [
        copyContender(parts, messages),
        await writerContender(parts, { name: 'writer, one message at a time', messages: messages / 10, recordsMax: 1 }),
        await writerContender(parts, { name: 'writer without trace and statuses', messages, alone: true }),
      ],
    });
    return { comparisons: [comparison], figures: [] };
  },
};

interface WriterVariant {
  readonly name: string;
  readonly messages: number;
  readonly recordsMax?: number;
  readonly alone?: boolean;
}

/** A service of its own with a topic of its own, which waits while the others have their turn. */
async function writerContender({ context, database, bus }: Parts, variant: WriterVariant): Promise<Contender> {
  const { clock, lifecycle } = context;
  const { name, messages, recordsMax, alone = false } = variant;
  const topic = `bench.${name.replaceAll(/\W+/g, '-')}`;
  const defaults = notificationWriterRole.settings(loadConfig(notificationWriterRole.options, { env: {} }).config);
  const settings = {
    ...defaults,
    ...{ topic, groupId: topic },
    ...(alone ? { traced: false, statusesTopic: '' } : {}),
    batch: { ...defaults.batch, recordsMax: recordsMax ?? defaults.batch.recordsMax },
  };
  const writer = await startNotificationWriter(settings, {
    ...{ bus, database, clock },
    telemetry: createSilentTelemetry('writer'),
  });
  lifecycle.defer(name, () => writer.stop());
  const producer = await bus.createProducer();
  let round: readonly OutgoingRecord[] = [];
  return {
    name,
    async prepare() {
      while (!(await writer.idle())) await clock.sleep(10);
      await emptyTables(database);
      round = reportMessages(clock, messages).map((value) => ({ topic, value }));
    },
    async run() {
      const stored = committedUpTo(topic);
      // One transaction: the writer sees all of them at once, as after a pause, and nothing before it is committed.
      const positions = await producer.send(round);
      const startedMs = clock.monotonicMs();
      await stored.until(positions.at(-1)!.offset + 1n);
      return { units: messages, elapsedMs: clock.monotonicMs() - startedMs };
    },
  };
}

/** Acknowledged is what counts: everything before it is in the table by then. */
function committedUpTo(topic: string) {
  let reached = 0n;
  let wake = () => {};
  const listen = (message: unknown) => {
    const { event, fields } = message as BusinessEvent;
    if (event !== 'offsets-committed') return;
    const positions = fields['positions'] as readonly { readonly topic: string; readonly offset: string }[];
    for (const position of positions) if (position.topic === topic) reached = BigInt(position.offset);
    wake();
  };
  subscribe(BUSINESS_EVENT_CHANNEL, listen);
  return {
    async until(offset: bigint) {
      while (reached < offset) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      unsubscribe(BUSINESS_EVENT_CHANNEL, listen);
    },
  };
}

function copyContender({ context, database }: Parts, messages: number): Contender {
  let lines: readonly string[] = [];
  return {
    name: 'COPY of the rows alone, in one transaction',
    async prepare() {
      await emptyTables(database);
      const at = context.clock.now().toISOString().replace('T', ' ').slice(0, -1);
      lines = reportMessages(context.clock, messages).map((message, offset) => copyLine(message, { offset, at }));
    },
    async run() {
      await database.withConnection(async ({ client }) => {
        const columns = 'org_id, account_number, cluster, report, updated_at, kafka_offset';
        await pipeline(Readable.from(lines), client.query(copyFrom(`COPY ${copyTable} (${columns}) FROM STDIN`)));
      });
      return messages;
    },
  };
}

async function emptyTables(database: Database): Promise<void> {
  await database.query(`TRUNCATE ${copyTable}, ${TABLE_NEW_REPORTS}, read_errors, ${TABLE_REPORT_FACTS}, ccx.trace`);
}
