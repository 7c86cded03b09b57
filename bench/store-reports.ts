/**
 * What storing a report costs beyond its row: a backlog of messages through `ccx writer` (poll, parse, check, recognise repeats, store,
 * statuses, commit), against one `COPY` of the same rows into a table with the same indexes, in the same rounds; from Kafka and from the
 * embedded bus, on Debian's PostgreSQL and on the embedded one. Goals, from Kafka on Debian's: at least 0.7 of COPY, at most 110 µs of
 * processor time of the process and 65 of the server a message, less than 150 MiB.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import {
  TABLE_CLUSTERS,
  TABLE_NEW_REPORTS,
  TABLE_REPORT_FACTS,
  TABLE_STORED_POSITIONS,
} from '../src/contracts/tables.ts';
import type { Bus } from '../src/platform/bus/bus.ts';
import type {
  BenchContext,
  BenchDatabase,
  Benchmark,
  BusEngine,
  Contender,
  DatabaseEngine,
} from './support/benchmark.ts';
import { copyLine, reportMessages } from './support/report-messages.ts';
import { startWriter } from './support/start-writer.ts';

const copyTable = 'bench_new_reports';
/** Rows of one part of the COPY. */
const sentAtOnce = 500;

const engines: readonly (readonly [BusEngine, DatabaseEngine])[] = [
  ['kafka', 'debian'],
  ['embedded', 'debian'],
  ['kafka', 'embedded'],
  ['embedded', 'embedded'],
];

export const benchmark: Benchmark = {
  description: 'a backlog through ccx writer against COPY of the same rows, by bus and database',
  async run(context) {
    const comparisons = [];
    const leftOut: string[] = [];
    const only = context.env['CCX_BENCH_BUS'];
    for (const [busEngine, databaseEngine] of engines) {
      if (only !== undefined && only !== `${busEngine}-${databaseEngine}`) continue;
      const missing = context.engines.missing(busEngine) ?? context.engines.missing(databaseEngine);
      if (missing === undefined) comparisons.push(await compareOn(context, busEngine, databaseEngine));
      else leftOut.push(`from ${busEngine} on ${databaseEngine}: ${missing}`);
    }
    return { comparisons, figures: [], ...(leftOut.length === 0 ? {} : { leftOut }) };
  },
};

async function compareOn(context: BenchContext, busEngine: BusEngine, databaseEngine: DatabaseEngine) {
  const bench = await context.createDatabase(databaseEngine);
  await bench.database.query(`CREATE TABLE ${copyTable} (LIKE ${TABLE_NEW_REPORTS} INCLUDING ALL)`);
  const bus = await context.engines.openBus(busEngine, bench.database);
  context.lifecycle.defer('bus', () => bus.close());
  const messages = context.size(6_000, 20);
  const writer = await writerContender(context, { bench, bus, busEngine, messages });
  const comparison = await context.compare({
    title: `from ${busEngine} on ${databaseEngine}`,
    unit: 'reports',
    rounds: 5,
    budgetMs: 15_000,
    subject: writer.contender,
    baselines: [copyContender(context, bench, messages)],
  });
  await writer.stop();
  return comparison;
}

interface WriterBench {
  readonly bench: BenchDatabase;
  readonly bus: Bus;
  readonly busEngine: BusEngine;
  readonly messages: number;
}

/** One process for all rounds. It stands still while its backlog is made, and its time counts from when it may go on. */
async function writerContender(context: BenchContext, { bench, bus, busEngine, messages }: WriterBench) {
  const brokers = busEngine === 'kafka' ? await context.engines.kafka() : [];
  const writer = await startWriter(context, { databaseUrl: bench.url, bus, brokers });
  // It has joined its group and made its tables.
  await writer.send(reportMessages(context.clock, 1));
  await writer.untilStored();
  const contender: Contender = {
    name: 'ccx writer',
    async prepare() {
      await bench.database.query(
        `TRUNCATE ${TABLE_NEW_REPORTS}, read_errors, ${TABLE_REPORT_FACTS}, ${TABLE_CLUSTERS}, ${TABLE_STORED_POSITIONS}`,
      );
      writer.pause();
      await writer.send(reportMessages(context.clock, messages));
    },
    async run() {
      writer.goOn();
      await writer.untilStored();
      return messages;
    },
    costs: () => ({ process: writer.pid, server: bench.server }),
  };
  return { contender, stop: writer.stop };
}

function copyContender({ clock }: BenchContext, { database, server }: BenchDatabase, messages: number): Contender {
  let lines: readonly Buffer[] = [];
  return {
    name: 'COPY of the rows alone, in one transaction',
    async prepare() {
      await database.query(`TRUNCATE ${copyTable}`);
      const at = clock.now().toISOString().replace('T', ' ').slice(0, -1);
      const text = reportMessages(clock, messages).map((message, offset) => copyLine(message, { offset, at }));
      lines = Array.from({ length: Math.ceil(text.length / sentAtOnce) }, (_, part) =>
        Buffer.from(text.slice(part * sentAtOnce, (part + 1) * sentAtOnce).join('')),
      );
    },
    async run() {
      await database.withConnection(async ({ client }) => {
        const columns = 'org_id, account_number, cluster, report, updated_at, kafka_offset';
        await pipeline(Readable.from(lines), client.query(copyFrom(`COPY ${copyTable} (${columns}) FROM STDIN`)));
      });
      return messages;
    },
    costs: () => ({ process: process.pid, server }),
  };
}
