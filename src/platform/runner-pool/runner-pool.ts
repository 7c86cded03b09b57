/**
 * A small pool of child processes for work that may loop, eat memory or die: running rules over an archive, rendering templates. Each
 * child runs one job at a time with a deadline and a memory limit that are watched from here, since a process in a busy loop watches
 * nothing; worker threads were tried and take the whole process down when memory runs out. Whose job is next is decided by what each owner
 * has used of the CPU (`fair-share.ts`), so that one that sends much or costly work holds up nobody but itself. A child that was killed or died is
 * replaced; jobs in other children never notice. What to do about a failed job is the caller's business.
 */

import { backoffMs } from '../clock/backoff.ts';
import type { Clock } from '../clock/clock.ts';
import { pause } from '../clock/deadline.ts';
import { Counter } from '../telemetry/prometheus.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { openFilePath } from './child-launch.ts';
import { FairShare } from './fair-share.ts';
import { type ChildEnd, type ChildRun, RunnerChild, startBackoffMsMax } from './runner-child.ts';
import { RunnerError } from './runner-job.ts';

/** Pauses after children that could not start, so that a broken install does not become a fork bomb. */
const startBackoff = { msMin: 100, msMax: startBackoffMsMax };
/** After so many failures in a row without a living child, waiting jobs are refused instead of kept. */
const startFailuresMax = 3;
/** Jobs that may wait per child, where the caller does not say: a second of work of ordinary archives. */
const queuedJobsPerChildMax = 64;

export interface RunnerPoolOptions {
  /** File URL of a module that exports `runJob` (`runner-job.ts`); it is loaded in the children, not here. */
  readonly module: URL;
  /** Number of children, all started at once. */
  readonly size: number;
  readonly clock: Clock;
  readonly telemetry?: Telemetry;
  /** Value of the metric label `pool`. */
  readonly name?: string;
  /** Deadline of one job, without the time it waits for a child. */
  readonly jobMsMax: number;
  /** Longest time under one label; the job's deadline when absent. Keeps the blame with the step that is slow. */
  readonly stepMsMax?: number;
  /** Resident memory of one child; includes Node itself, about 60 MB. */
  readonly childBytesMax: number;
  /** A child is replaced after so many jobs, which bounds what a leak can cost. */
  readonly jobsPerChildMax: number;
  /** Jobs that may wait for a child; one more is refused with `RUNNER_QUEUE_FULL`. */
  readonly queuedJobsMax?: number;
  /** Jobs name files that are open here, by `pathOf`; the children may then read those. */
  readonly readsOpenFiles?: boolean;
  /** Environment of the children in addition to a fixed minimum. Never a secret. */
  readonly env?: Readonly<Record<string, string>>;
}

interface RunOptions {
  /** Gives the job up: it leaves the queue, or its child is killed. Rejects with `RUNNER_CANCELLED`. */
  readonly signal?: AbortSignal;
  /** On whose behalf: over time the jobs of each owner get the same CPU time, whoever sends more. One owner for all when absent. */
  readonly owner?: string;
  /** Called once for a job that was started, with the CPU time that it took. */
  readonly onCpu?: (cpuMs: number) => void;
}

/** Ends of children that are nobody's fault. */
const onPurpose: ReadonlySet<string> = new Set(['RUNNER_RETIRED', 'RUNNER_CANCELLED']);

interface QueuedJob extends Pick<ChildRun, 'job' | 'signal' | 'onCpu'> {
  readonly owner: string;
  readonly settled: PromiseWithResolvers<unknown>;
  readonly onAbort: () => void;
}

export class RunnerPool<Job, Result> {
  readonly #options: RunnerPoolOptions;
  readonly #reportReplaced: (error: RunnerError) => void;
  readonly #children = new Set<RunnerChild>();
  readonly #queue: QueuedJob[] = [];
  readonly #share = new FairShare();
  readonly #queuedJobsMax: number;
  readonly #closing = new AbortController();
  readonly #allEnded = Promise.withResolvers<void>();
  #nextJobId = 1;
  #startFailures = 0;
  #lastStartFailure: RunnerError | undefined;
  #pausing = false;
  /** As the child that started last found. */
  #readsOpenFiles = false;

  constructor(options: RunnerPoolOptions) {
    this.#options = options;
    this.#reportReplaced = reportReplaced(options.name ?? 'runner', options.telemetry);
    this.#queuedJobsMax = options.queuedJobsMax ?? options.size * queuedJobsPerChildMax;
    this.#fill();
  }

  /** Starts children until there are `size`, unless starting is paused after failures. */
  #fill(): void {
    while (!this.#closing.signal.aborted && !this.#pausing && this.#children.size < this.#options.size) {
      const child: RunnerChild = new RunnerChild({
        ...this.#options,
        onReady: (readsOpenFiles) => {
          this.#readsOpenFiles = readsOpenFiles;
          this.#dispatch();
        },
        onEnd: (end) => this.#onEnd(child, end),
      });
      this.#children.add(child);
      child.start();
    }
  }

  /** Resolves to what `runJob` returned, or rejects with a `RunnerError`. */
  run(job: Job, { signal, owner = '', onCpu = () => undefined }: RunOptions = {}): Promise<Result> {
    if (this.#closing.signal.aborted) return Promise.reject(closed());
    if (signal?.aborted) return Promise.reject(cancelled());
    if (this.#hopeless()) return Promise.reject(this.#unavailable());
    if (this.#queue.length >= this.#queuedJobsMax) {
      return Promise.reject(
        new RunnerError(`${this.#queue.length} jobs wait for a runner`, {
          code: 'RUNNER_QUEUE_FULL',
          category: 'limit',
          retryable: true,
        }),
      );
    }
    const queued: QueuedJob = {
      job,
      signal,
      owner,
      onCpu,
      settled: Promise.withResolvers(),
      onAbort: () => this.#leaveQueue(queued),
    };
    this.#queue.push(queued);
    this.#share.arrived(owner);
    signal?.addEventListener('abort', queued.onAbort, { once: true });
    this.#dispatch();
    return queued.settled.promise as Promise<Result>;
  }

  /** Under which name children read a file that is open here; undefined where they cannot, as on other systems than Linux. */
  pathOf(descriptor: number): string | undefined {
    return this.#readsOpenFiles ? openFilePath(descriptor) : undefined;
  }

  /** Children by what they do, jobs that wait, and failed starts in a row: 0 again once a child has worked. */
  state() {
    const children = [...this.#children];
    const idle = children.filter((child) => child.idle).length;
    const ready = children.filter((child) => child.ready).length;
    return {
      starting: children.length - ready,
      idle,
      busy: ready - idle,
      queued: this.#queue.length,
      startFailures: this.#startFailures,
      pids: children.flatMap((child) => child.pid ?? []),
    };
  }

  /** Ends every child and rejects what waits or runs with `RUNNER_CLOSED`. Resolves when no process is left. */
  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort();
      this.#refuseAll(closed);
      for (const child of this.#children) child.kill(closed());
      if (this.#children.size === 0) this.#allEnded.resolve();
    }
    await this.#allEnded.promise;
  }

  #dispatch(): void {
    for (const child of this.#children) {
      if (this.#queue.length === 0) return;
      if (!child.idle) continue;
      const [next] = this.#queue.splice(this.#share.next(this.#queue.map(({ owner }) => owner)), 1);
      void this.#runOn(child, next!);
    }
  }

  async #runOn(child: RunnerChild, queued: QueuedJob): Promise<void> {
    queued.signal?.removeEventListener('abort', queued.onAbort);
    const id = this.#nextJobId;
    this.#nextJobId += 1;
    const { jobMsMax, stepMsMax } = this.#options;
    const { job, signal, owner } = queued;
    const charged = this.#share.started(owner);
    const onCpu = (cpuMs: number) => {
      this.#share.ended(owner, cpuMs, charged);
      queued.onCpu(cpuMs);
    };
    try {
      const limits = { jobMsMax, stepMsMax: stepMsMax ?? jobMsMax };
      queued.settled.resolve(await child.run({ id, job, limits, signal, onCpu }));
    } catch (error) {
      queued.settled.reject(error);
    }
    if (child.jobsFinished > 0) this.#startFailures = 0;
    if (child.jobsFinished >= this.#options.jobsPerChildMax) child.kill(retired());
    this.#dispatch();
  }

  #leaveQueue(queued: QueuedJob): void {
    const index = this.#queue.indexOf(queued);
    if (index < 0) return;
    this.#queue.splice(index, 1);
    this.#share.left(queued.owner);
    queued.settled.reject(cancelled());
  }

  #refuseAll(reason: () => RunnerError): void {
    for (const queued of this.#queue.splice(0)) {
      this.#share.left(queued.owner);
      queued.settled.reject(reason());
    }
  }

  #onEnd(child: RunnerChild, end: ChildEnd): void {
    this.#children.delete(child);
    if (this.#closing.signal.aborted) {
      if (this.#children.size === 0) this.#allEnded.resolve();
      return;
    }
    if (!onPurpose.has(end.error.code)) this.#reportReplaced(end.error);
    if (end.worked) {
      this.#startFailures = 0;
      this.#fill();
      return;
    }
    this.#startFailures += 1;
    this.#lastStartFailure = end.error;
    if (this.#hopeless()) this.#refuseAll(() => this.#unavailable());
    void this.#fillLater();
  }

  async #fillLater(): Promise<void> {
    if (this.#pausing) return;
    this.#pausing = true;
    const { clock } = this.#options;
    await pause(clock, backoffMs(startBackoff, this.#startFailures, clock.random()), this.#closing.signal);
    this.#pausing = false;
    this.#fill();
  }

  #hopeless(): boolean {
    return this.#startFailures >= startFailuresMax && ![...this.#children].some((child) => child.ready);
  }

  #unavailable(): RunnerError {
    return new RunnerError(`no runner child can be started (${this.#startFailures} attempts in a row failed)`, {
      code: 'RUNNER_UNAVAILABLE',
      category: 'internal',
      retryable: true,
      cause: this.#lastStartFailure,
    });
  }
}

function retired(): RunnerError {
  return new RunnerError('a runner child served its number of jobs', {
    code: 'RUNNER_RETIRED',
    category: 'internal',
    retryable: true,
  });
}

function closed(): RunnerError {
  return new RunnerError('the runner pool is closed', {
    code: 'RUNNER_CLOSED',
    category: 'internal',
    retryable: true,
  });
}

function cancelled(): RunnerError {
  return new RunnerError('the job was given up', { code: 'RUNNER_CANCELLED', category: 'internal' });
}

export function runnersReplaced(registry: Telemetry['registry']): Counter<'pool' | 'code'> {
  const name = 'ccx_runner_replaced_total';
  const existing = registry.getSingleMetric(name) as Counter<'pool' | 'code'> | undefined;
  const help = 'Runner child processes that ended and were replaced';
  return existing ?? new Counter({ name, help, labelNames: ['pool', 'code'], registers: [registry] });
}

/** A child is gone and another takes its place: log line, metric and event. Retired children, after their number of jobs, are not counted. `telemetry` may be absent, e.g. in a short command; several pools of one process share the metric and differ by `pool`. */
function reportReplaced(pool: string, telemetry: Telemetry | undefined): (error: RunnerError) => void {
  if (telemetry === undefined) return () => undefined;
  const replaced = runnersReplaced(telemetry.registry);
  return (error) => {
    replaced.inc({ pool, code: error.code });
    telemetry.log.warn({ pool, code: error.code, label: error.label, error: error.message }, 'runner child replaced');
    telemetry.announce('runner-replaced', { pool, code: error.code, label: error.label });
  };
}
