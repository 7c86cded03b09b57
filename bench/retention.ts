/**
 * Deleting old reports from a large table: in slices, as `--new-reports-cleanup`, `ccx db cleanup` and the services do it, against one
 * DELETE of as many rows, as the reference does it. Ten million reports with their facts; a few thousand of them in turns, then a million
 * in either way, each beside a connection that stores a report every few milliseconds, whose waiting is measured.
 */
import { TABLE_NEW_REPORTS, TABLE_REPORT_FACTS } from '../src/contracts/tables.ts';
import type { Clock } from '../src/platform/clock/clock.ts';
import { migrateCcx } from '../src/platform/database/ccx-migrations.ts';
import type { Database } from '../src/platform/database/database.ts';
import { deleteOldRows } from '../src/platform/database/delete-old-rows.ts';
import { deleteAgedRows, oldRowsOf } from '../src/platform/records/old-rows.ts';
import { createFactsSweep } from '../src/platform/records/report-facts.ts';
import type { BenchContext, Benchmark, Contender, Figure } from './support/benchmark.ts';
import { fillWithoutIndexes } from './support/fill-tables.ts';

/** Reports of a cluster, one every two hours. */
const reportsPerCluster = 100;
/** So much text as the shrunk reports of clusters with a finding have. */
const reportCharacters = 300;
/** Between two reports that are stored meanwhile. */
const storedEveryMs = 5;

export const benchmark: Benchmark = {
  description: 'old reports deleted in slices against one DELETE, and how long a writer waits meanwhile',
  large: true,
  async run(context) {
    const { database } = await context.createDatabase();
    await migrateCcx(database, 'records');
    const rows = context.size(10_000_000, 20_000);
    await fillReports(context, database, rows);
    const table = new ReportsByAge(context, database, rows);
    const few = context.size(7_000, 70);
    const comparison = await context.compare({
      title: `${few} of ${rows} reports`,
      unit: 'reports',
      rounds: 5,
      budgetMs: 60_000,
      subject: table.inSlices(few),
      baselines: [table.inOneStatement(few)],
    });
    const figures = [...(await quietFigures(context, database))];
    const many = context.size(1_000_000, 2_000);
    for (const contender of [table.inSlices(many), table.inOneStatement(many)])
      figures.push(
        ...(await deletionFigures(context, database, { contender, many, longest: () => table.takeLongest() })),
      );
    figures.push(...(await lookFigures(context, table, many)));
    return { comparisons: [comparison], figures };
  },
};

/** Hands out the oldest rows, portion by portion. */
class ReportsByAge {
  readonly #clock: Clock;
  readonly #database: Database;
  readonly #rows: number;
  #handedOut = 0;
  #longestMs = 0;

  constructor({ clock }: BenchContext, database: Database, rows: number) {
    this.#clock = clock;
    this.#database = database;
    this.#rows = rows;
  }

  inSlices(portion: number): Contender {
    return {
      name: 'in slices',
      run: async () => {
        const { slices, ...rest } = await oldRowsOf(this.#database, { table: TABLE_NEW_REPORTS, maxAge: '1 day' });
        const before = await this.#nextBefore(portion);
        return deleteAgedRows(this.#timed(), { ...rest, slices: { ...slices, before } });
      },
    };
  }

  inOneStatement(portion: number): Contender {
    return {
      name: 'at once',
      run: async () => {
        const before = await this.#nextBefore(portion);
        const database = this.#timed();
        const { rowCount } = await database.query(
          `WITH gone AS (DELETE FROM ${TABLE_NEW_REPORTS} WHERE updated_at < $1::timestamp RETURNING org_id, cluster, updated_at)
           DELETE FROM ${TABLE_REPORT_FACTS} AS f USING gone AS g
            WHERE f.org_id = g.org_id AND f.cluster = g.cluster AND f.updated_at = g.updated_at`,
          [before],
        );
        return rowCount;
      },
    };
  }

  /** What `ccx db cleanup` does ahead of a deletion. Deletes nothing, so the next portion is the same. */
  async count(portion: number): Promise<void> {
    const { slices } = await oldRowsOf(this.#database, { table: TABLE_NEW_REPORTS, maxAge: '1 day' });
    const before = await this.#nextBefore(portion);
    this.#handedOut -= portion;
    await deleteOldRows(this.#timed(), { ...slices, before }, { countOnly: true });
  }

  /** What the writer does every ten minutes. */
  async sweepFacts(): Promise<void> {
    await createFactsSweep()(this.#timed());
  }

  /** The longest statement or transaction since the last call, in milliseconds. */
  takeLongest(): number {
    const longest = this.#longestMs;
    this.#longestMs = 0;
    return longest;
  }

  async #nextBefore(portion: number): Promise<string> {
    this.#handedOut += portion;
    const { rows } = await this.#database.query<{ before: string }>(
      `SELECT (${momentOf('$1::int', '$2')})::text AS before`,
      [this.#handedOut, this.#rows],
    );
    return rows[0]!.before;
  }

  #timed(): Database {
    const database = this.#database;
    const timed = async <T>(work: () => Promise<T>): Promise<T> => {
      const startedMs = this.#clock.monotonicMs();
      try {
        return await work();
      } finally {
        this.#longestMs = Math.max(this.#longestMs, this.#clock.monotonicMs() - startedMs);
      }
    };
    return {
      ...database,
      query: (text, values) => timed(() => database.query(text, values)),
      transaction: (work, how) => timed(() => database.transaction(work, how)),
    };
  }
}

/** SQL: when report `number` was stored, the oldest being 0; a second lies between two of them. */
function momentOf(number: string, rows: string): string {
  return `date_trunc('day', now() AT TIME ZONE 'UTC') - interval '1 month' + (${number} - ${rows}::int) * interval '1 second'`;
}

async function fillReports({ tell, clock }: BenchContext, database: Database, rows: number): Promise<void> {
  const startedMs = clock.monotonicMs();
  await fillWithoutIndexes(database, [TABLE_NEW_REPORTS, TABLE_REPORT_FACTS], async (tx) => {
    await tx.query(
      `INSERT INTO ${TABLE_NEW_REPORTS} (org_id, account_number, cluster, report, updated_at, kafka_offset)
       SELECT 1 + hashint4(c) % 1000, 1, md5(c::text)::uuid, rpad('{"reports":[]}', $2), ${momentOf('n', '$1')}, n
         FROM (SELECT n, n % greatest(1, $1::int / $3) AS c FROM generate_series(0, $1::int - 1) AS n) AS numbers`,
      [rows, reportCharacters, reportsPerCluster],
    );
    await tx.query(
      `INSERT INTO ${TABLE_REPORT_FACTS} (org_id, cluster, updated_at, request_id, last_checked)
       SELECT org_id, cluster, updated_at, '', updated_at FROM ${TABLE_NEW_REPORTS}`,
    );
    tell(`${rows} reports are there after ${Math.round((clock.monotonicMs() - startedMs) / 1000)} s`);
  });
  tell(`and their indexes after ${Math.round((clock.monotonicMs() - startedMs) / 1000)} s`);
}

/** What the writer waits for where nobody deletes. */
async function quietFigures(context: BenchContext, database: Database): Promise<Figure[]> {
  const writer = storeReports(context, database);
  await context.clock.sleep(context.size(10_000, 200));
  return latencyFigures('nothing deleted', await writer.stop());
}

/** What looks for old rows and deletes none. */
async function lookFigures({ clock }: BenchContext, table: ReportsByAge, many: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  const looks = {
    [`${many} counted`]: () => table.count(many),
    'one pass of the writer over facts': () => table.sweepFacts(),
  };
  for (const [name, look] of Object.entries(looks)) {
    table.takeLongest();
    const startedMs = clock.monotonicMs();
    await look();
    figures.push({ name, value: (clock.monotonicMs() - startedMs) / 1000, unit: 's' });
    figures.push({ name: `${name}, longest statement`, value: table.takeLongest(), unit: 'ms' });
  }
  return figures;
}

interface Deletion {
  readonly contender: Contender;
  readonly many: number;
  readonly longest: () => number;
}

async function deletionFigures(context: BenchContext, database: Database, what: Deletion): Promise<Figure[]> {
  const { contender, many, longest } = what;
  const { clock, tell } = context;
  await database.query('CHECKPOINT');
  longest();
  const writer = storeReports(context, database);
  const wal = await walPosition(database);
  const startedMs = clock.monotonicMs();
  const deleted = await contender.run(0);
  const elapsedMs = clock.monotonicMs() - startedMs;
  const longestMs = longest();
  const walBytes = (await walPosition(database)) - wal;
  const latency = await writer.stop();
  const dead = await deadTuples(context, database);
  const vacuumMs = clock.monotonicMs();
  await database.query(`VACUUM ${TABLE_NEW_REPORTS}, ${TABLE_REPORT_FACTS}`);
  const vacuumedMs = clock.monotonicMs() - vacuumMs;
  const name = `${many} ${contender.name}`;
  tell(`${name}: ${deleted} in ${Math.round(elapsedMs / 1000)} s`);
  return [
    { name, value: elapsedMs / 1000, unit: 's' },
    { name: `${name}, longest statement`, value: longestMs, unit: 'ms' },
    { name: `${name}, WAL`, value: walBytes / 1e6, unit: 'MB' },
    { name: `${name}, dead rows before VACUUM`, value: dead, unit: 'rows' },
    { name: `${name}, VACUUM`, value: vacuumedMs / 1000, unit: 's' },
    { name: `${name}, dead rows after it`, value: await deadTuples(context, database), unit: 'rows' },
    ...latencyFigures(name, latency),
  ];
}

function latencyFigures(name: string, latenciesMs: readonly number[]): Figure[] {
  const sorted = [...latenciesMs].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return [
    { name: `${name}: a report is stored within, median`, value: at(0.5), unit: 'ms' },
    { name: `${name}: 99 of 100 within`, value: at(0.99), unit: 'ms' },
    { name: `${name}: all within`, value: at(1), unit: 'ms' },
  ];
}

/** Stores reports with their facts, one transaction each, until it is stopped; resolves to how long each took, in milliseconds. */
function storeReports({ clock }: BenchContext, database: Database) {
  const latencies: number[] = [];
  let stopped = false;
  const work = (async () => {
    while (!stopped) {
      const startedMs = clock.monotonicMs();
      await database.query(
        `WITH stored AS (
           INSERT INTO ${TABLE_NEW_REPORTS} (org_id, account_number, cluster, report, updated_at, kafka_offset)
           VALUES (1, 1, $1, rpad('{"reports":[]}', $2), now() AT TIME ZONE 'UTC', 0) RETURNING org_id, cluster, updated_at)
         INSERT INTO ${TABLE_REPORT_FACTS} (org_id, cluster, updated_at, request_id, last_checked)
         SELECT org_id, cluster, updated_at, '', updated_at FROM stored`,
        [clock.uuid(), reportCharacters],
      );
      latencies.push(clock.monotonicMs() - startedMs);
      await clock.sleep(storedEveryMs);
    }
  })();
  work.catch(() => undefined);
  return {
    async stop(): Promise<readonly number[]> {
      stopped = true;
      await work;
      return latencies;
    },
  };
}

async function walPosition(database: Database): Promise<number> {
  const { rows } = await database.query<{ bytes: number }>(
    `SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::float8 AS bytes`,
  );
  return rows[0]!.bytes;
}

/** The server's count, which a connection that rests tells after ten seconds. */
async function deadTuples({ clock, size }: BenchContext, database: Database): Promise<number> {
  await clock.sleep(size(11_000, 100));
  const { rows } = await database.query<{ dead: number }>(
    `SELECT sum(n_dead_tup)::float8 AS dead FROM pg_stat_all_tables WHERE relid IN ($1::regclass, $2::regclass)`,
    [TABLE_NEW_REPORTS, TABLE_REPORT_FACTS],
  );
  return rows[0]!.dead;
}
