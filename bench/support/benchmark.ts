/** What a benchmark is, and what the runner hands to it. Each lies in a file `bench/<name>.ts` that exports `benchmark`. */
import type { Bus } from '../../src/platform/bus/bus.ts';
import type { Clock } from '../../src/platform/clock/clock.ts';
import type { Database } from '../../src/platform/database/database.ts';
import type { Lifecycle } from '../../src/platform/lifecycle/lifecycle.ts';
import type { Watched } from './costs.ts';

export interface Benchmark {
  /** One line: what is measured against what. */
  readonly description: string;
  /** Why it cannot be run here (no broker, no such file), in one sentence; it is then skipped. */
  readonly missing?: (context: BenchContext) => Promise<string | undefined>;
  /** Takes many minutes and gigabytes: run only where it is named. */
  readonly large?: boolean;
  readonly run: (context: BenchContext) => Promise<Findings>;
}

export interface Findings {
  readonly comparisons: readonly Comparison[];
  /** What belongs to the ratios, or explains them: statements, shares, memory. */
  readonly figures: readonly Figure[];
  /** What could not be measured here and why (`context.engines.missing`), one line each. */
  readonly leftOut?: readonly string[];
}

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

/** One way of doing the same work. */
export interface Contender {
  readonly name: string;
  /** Before every round, not timed. */
  readonly prepare?: (round: number) => Promise<void> | void;
  /** Timed; answers how many units of work it did. */
  readonly run: (round: number) => Promise<number | TimedWork> | number;
  /** Whose processor time and memory its work costs; asked before every round, so that it may be another process each time. */
  readonly costs?: () => Watched;
}

/** For work whose beginning is not the call: it took the time by itself. */
export interface TimedWork {
  readonly units: number;
  readonly elapsedMs: number;
}

export interface Contest {
  readonly title: string;
  /** What is counted, in the plural: `archives`. */
  readonly unit: string;
  readonly subject: Contender;
  readonly baselines: readonly Contender[];
  /** Rounds that count, at most; fewer where the time is up. */
  readonly rounds?: number;
  /** Time for all rounds together, the one that only warms up included. */
  readonly budgetMs?: number;
  /** False: none; where each round is a process of its own, and what has to warm up is a part of it. */
  readonly warmUp?: boolean;
}

export interface Comparison {
  readonly title: string;
  readonly unit: string;
  readonly rounds: number;
  readonly subject: Measured;
  readonly baselines: readonly (Measured & { readonly ratio: Spread })[];
}

export interface Measured {
  readonly name: string;
  /** Units per second. */
  readonly perSecond: Spread;
  /** Where the contender says whose costs they are. */
  readonly costs?: Costs;
}

export interface Costs {
  /** Microseconds of processor time for one unit. */
  readonly cpuUs: { readonly process: Spread; readonly children: Spread; readonly server: Spread };
  /** The most that was resident in any round that counts. */
  readonly peakMebibytes: { readonly process: Spread; readonly children: Spread };
}

/** Over the rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface BenchContext {
  readonly clock: Clock;
  /** True: sizes that only show that the benchmark still works; the figures mean nothing. */
  readonly quick: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Cleanups of this benchmark; the runner runs them after it, last registered first. */
  readonly lifecycle: Lifecycle;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** One or the other, by `quick`. */
  size(full: number, quick: number): number;
  /** Alternates the contenders, round by round. */
  compare(contest: Contest): Promise<Comparison>;
  /** A line for a person who waits. */
  tell(line: string): void;
  /** A folder of its own, removed afterwards; other accounts may enter it. */
  temporaryFolder(): Promise<string>;
  /** A fresh database with the notification schema, on a PostgreSQL that flushes as in production; dropped with its server. */
  createDatabase(engine?: DatabaseEngine): Promise<BenchDatabase>;
  /** The other engines, by name. */
  readonly engines: BenchEngines;
}

/** `embedded`: the PostgreSQL of an installation without anything else; `debian`: the one that Debian packs, with its defaults. */
export type DatabaseEngine = 'embedded' | 'debian';

export type BusEngine = 'embedded' | 'kafka';

export interface BenchEngines {
  /** Why this one cannot be had here, in one phrase; undefined where it can. */
  missing(engine: BusEngine | DatabaseEngine): string | undefined;
  /** `host:port` of each broker of a real Kafka without security; one for all benchmarks of a run, so topics need names of their own. */
  kafka(): Promise<readonly string[]>;
  /** A client of the broker, or of a bus in that database; the caller's to close. */
  openBus(engine: BusEngine, database: Database): Promise<Bus>;
}

export interface BenchDatabase {
  readonly url: string;
  readonly database: Database;
  /** Process id of the postmaster, for `Contender.costs`; undefined where the server runs elsewhere. */
  readonly server: number | undefined;
}
