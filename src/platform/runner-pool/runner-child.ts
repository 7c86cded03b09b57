/**
 * One child process of the runner pool: started, given one job at a time, watched from outside while it works, killed when it goes
 * over a limit. Used by `runner-pool.ts`, which decides how many there are and who gets which job. A child that was killed or that
 * died is not used again.
 */
import { type ChildProcess, execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { errorText } from '../../encoding/ccx-error.ts';
import type { Clock } from '../clock/clock.ts';
import { type ChildLaunch, launchChild, openFilePath } from './child-launch.ts';
import { type JobLabel, type LabelFile, openLabelFile } from './label-file.ts';
import { type FromChild, type JobFailure, RunnerError, type ToChild } from './runner-job.ts';

/** A child that has not loaded its module by then never will; generous, since a busy machine starts Node slowly. */
const childStartMsMax = 60_000;
/**
 * How often a busy child is looked at from outside: memory, deadline, step. An overrun is noticed at most this late, that of the time in one
 * step at most twice this late.
 */
const watchMs = 50;
/** After a child's exit its pipe may still hold why; it is read for at most this long. */
const drainMsMax = 1_000;
/** Longest pause before a child is started in place of one that could not; one that lived longer than that was no failed start. */
export const startBackoffMsMax = 30_000;
/** What a child wrote on stderr before it died; the end tells why. */
const stderrBytesMax = 4_096;

interface RunnerChildOptions extends ChildLaunch {
  readonly clock: Clock;
  /** With whether it can read files that are open here. */
  readonly onReady: (readsOpenFiles: boolean) => void;
  /** Called once, after the process is gone and its job, if any, was settled. */
  readonly onEnd: (end: ChildEnd) => void;
}

export interface ChildEnd {
  /** Why it ended, also when it was killed on purpose. */
  readonly error: RunnerError;
  /** It served a job, ended in one, or at least lived a while; a child that did nothing of that counts as a failed start. */
  readonly worked: boolean;
}

export interface ChildRun {
  readonly id: number;
  readonly job: unknown;
  /** Of the job, and of the time under one label. */
  readonly limits: { readonly jobMsMax: number; readonly stepMsMax: number };
  readonly signal: AbortSignal | undefined;
  readonly onCpu: (cpuMs: number) => void;
}

interface RunningJob extends Pick<ChildRun, 'id' | 'limits' | 'onCpu'> {
  readonly startedMs: number;
  readonly settled: PromiseWithResolvers<unknown>;
  readonly stopWatching: () => void;
  /** As it was last read from the child's file. */
  label: JobLabel | undefined;
  /** When it was first seen there. */
  labelledMs: number;
}

export class RunnerChild {
  readonly #options: RunnerChildOptions;
  readonly #clock: Clock;
  #process: ChildProcess | undefined;
  #labels: LabelFile | undefined;
  #ready = false;
  #ended = false;
  #endNoticed = false;
  #jobsFinished = 0;
  #current: RunningJob | undefined;
  /** Set before a kill of ours, so that the end is not taken for a crash. */
  #verdict: RunnerError | undefined;
  #stderr = '';
  #readyMs = 0;
  readonly #startDeadline = new AbortController();
  readonly #drainDeadline = new AbortController();

  constructor(options: RunnerChildOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  /** Starts the process. Every failure, also one of the operating system, comes through `onEnd`. */
  start(): void {
    let child: ChildProcess;
    try {
      this.#labels = openLabelFile();
      child = launchChild(this.#options, this.#labels.descriptor);
    } catch (cause) {
      queueMicrotask(() => this.#end(startFailed('the operating system refused to start it', cause)));
      return;
    }
    this.#process = child;
    child.on('error', (cause) => {
      // Without a process there will be no exit; with one, the error is about the channel and the exit tells the rest.
      if (child.pid === undefined) this.#end(startFailed('the operating system refused to start it', cause));
    });
    child.on('message', (message) => this.#onMessage(message as FromChild));
    child.on('exit', (code, signal) => this.#onExit(code, signal));
    child.on('close', (code, signal) => this.#end(this.#verdict ?? this.#crash(code, signal)));
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString('utf8')).slice(-stderrBytesMax);
    });
    const { module, readsOpenFiles } = this.#options;
    const openFile = readsOpenFiles === true ? openFilePath(this.#labels.descriptor) : undefined;
    this.#send({ kind: 'start', module: module.href, parentPid: process.pid, openFile });
    this.#clock.sleep(childStartMsMax, this.#startDeadline.signal).then(
      () => this.kill(startFailed(`not ready within ${childStartMsMax} ms`)),
      () => undefined,
    );
  }

  get idle(): boolean {
    return this.#ready && !this.#ended && this.#verdict === undefined && this.#current === undefined;
  }

  get ready(): boolean {
    return this.#ready && !this.#ended;
  }

  get jobsFinished(): number {
    return this.#jobsFinished;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /**
   * Runs one job on an idle child. Rejects with a `RunnerError`; unless the job itself failed, the child is gone by then. Before that
   * `onCpu` is called once with the CPU time that it took; for a child that did not live to say it, that is the time that went by.
   */
  run({ id, job, limits, signal, onCpu }: ChildRun): Promise<unknown> {
    if (!this.idle) throw new Error('a runner child runs one job at a time');
    const settled = Promise.withResolvers<unknown>();
    const startedMs = this.#clock.monotonicMs();
    const watch = this.#clock.every(watchMs, () => this.#inspect());
    const cancel = () => this.kill(this.#overrun('RUNNER_CANCELLED', 'cancelled by the caller'));
    signal?.addEventListener('abort', cancel, { once: true });
    this.#current = {
      id,
      limits,
      startedMs,
      settled,
      onCpu,
      stopWatching: () => {
        watch();
        signal?.removeEventListener('abort', cancel);
      },
      label: undefined,
      labelledMs: startedMs,
    };
    this.#send({ kind: 'job', id, job });
    return settled.promise;
  }

  /** Looks at a busy child from outside. A verdict is reached only after everything that it has already sent was read. */
  async #inspect(): Promise<void> {
    const job = this.#current;
    const pid = this.#process?.pid;
    if (job === undefined || pid === undefined || this.#verdict !== undefined) return;
    const bytes = await residentBytes(pid);
    if (this.#current !== job) return;
    if (bytes !== undefined && bytes > this.#options.childBytesMax) {
      await pendingInputRead();
      if (this.#current === job) {
        const text = `holds ${bytes} bytes, more than ${this.#options.childBytesMax}`;
        this.kill(this.#overrun('RUNNER_MEMORY', text));
      }
      return;
    }
    if (this.#lateness(job) === undefined) return;
    await pendingInputRead();
    const late = this.#lateness(job);
    if (this.#current === job && late !== undefined) this.kill(this.#overrun('RUNNER_TIMEOUT', late));
  }

  #lateness(job: RunningJob): string | undefined {
    this.#lookAtLabel();
    const now = this.#clock.monotonicMs();
    if (now - job.labelledMs > job.limits.stepMsMax) return `no end of the step within ${job.limits.stepMsMax} ms`;
    if (now - job.startedMs > job.limits.jobMsMax) return `no result within ${job.limits.jobMsMax} ms`;
    return undefined;
  }

  #overrun(code: string, text: string): RunnerError {
    const label = this.#lookAtLabel();
    return new RunnerError(`runner in ${label ?? '(no step yet)'}: ${text}`, { code, category: 'limit', label });
  }

  /** Ends the process, idle or not; a running job is rejected with the verdict. */
  kill(verdict: RunnerError): void {
    if (this.#ended || this.#verdict !== undefined) return;
    this.#verdict = verdict;
    this.#startDeadline.abort();
    this.#process?.kill('SIGKILL');
  }

  #onMessage(message: FromChild): void {
    if (message.kind === 'ready') {
      this.#startDeadline.abort();
      if (this.#verdict !== undefined || this.#ended) return;
      this.#ready = true;
      this.#readyMs = this.#clock.monotonicMs();
      this.#options.onReady(message.readsOpenFiles);
      return;
    }
    const job = this.#current;
    if (job === undefined || job.id !== message.id) return;
    this.#release(job);
    this.#jobsFinished += 1;
    job.onCpu(message.cpuMs);
    if (message.kind === 'result') job.settled.resolve(message.value);
    else job.settled.reject(failureOf(message.error, message.label));
  }

  /** What the running job is in, or was in when its process ended. */
  #lookAtLabel(): string | undefined {
    const job = this.#current;
    if (job === undefined) return undefined;
    const label = this.#labels?.read();
    if (label?.id === job.id && label.step !== job.label?.step) {
      job.label = label;
      job.labelledMs = this.#clock.monotonicMs();
    }
    return job.label?.text;
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    this.#endNoticed = true;
    this.#startDeadline.abort();
    // Normally 'close' follows at once. It does not while somebody else still holds a pipe open.
    this.#clock.sleep(drainMsMax, this.#drainDeadline.signal).then(
      () => this.#end(this.#verdict ?? this.#crash(code, signal)),
      () => undefined,
    );
  }

  #crash(code: number | null, signal: NodeJS.Signals | null): RunnerError {
    const label = this.#lookAtLabel();
    const outOfHeap = this.#stderr.includes('heap out of memory');
    const how = signal === null ? `exit code ${code}` : signal;
    const cause = this.#stderr === '' ? undefined : new Error(this.#stderr.trim());
    if (this.#current === undefined) return startFailed(`it ended with ${how}`, cause);
    return new RunnerError(
      `runner in ${label ?? '(no step yet)'}: ${outOfHeap ? 'the heap is full' : `the process ended with ${how}`}`,
      {
        code: outOfHeap ? 'RUNNER_MEMORY' : 'RUNNER_CRASHED',
        category: outOfHeap ? 'limit' : 'internal',
        cause,
        label,
      },
    );
  }

  #end(error: RunnerError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#startDeadline.abort();
    this.#drainDeadline.abort();
    const job = this.#current;
    if (job !== undefined) {
      this.#release(job);
      job.onCpu(this.#clock.monotonicMs() - job.startedMs);
      job.settled.reject(error);
    }
    this.#labels?.close();
    this.#labels = undefined;
    const livedLong = this.#ready && this.#clock.monotonicMs() - this.#readyMs > startBackoffMsMax;
    this.#options.onEnd({ error, worked: job !== undefined || this.#jobsFinished > 0 || livedLong });
  }

  #release(job: RunningJob): void {
    job.stopWatching();
    this.#current = undefined;
  }

  #send(message: ToChild): void {
    // A failed write means that the process is going; its exit is what counts.
    if (!this.#endNoticed) this.#process?.send(message, () => undefined);
  }
}

/** One turn of the event loop: this process may have been the slow one, and the answer may be waiting in a pipe. */
function pendingInputRead(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });
}

function startFailed(text: string, cause?: unknown): RunnerError {
  return new RunnerError(`a runner child is of no use: ${text}`, {
    code: 'RUNNER_UNAVAILABLE',
    category: 'internal',
    retryable: true,
    cause: cause instanceof Error ? new Error(errorText(cause)) : cause,
  });
}

function failureOf(failure: JobFailure, label: string | undefined): RunnerError {
  return new RunnerError(failure.message, {
    code: 'RUNNER_JOB_FAILED',
    category: 'internal',
    ...failure,
    cause: failure.cause === undefined ? undefined : new Error(failure.cause),
    label,
  });
}

/**
 * Bytes in memory and in swap, or undefined when the process is gone or nobody knows. Seen from outside, since a process in a busy loop
 * cannot be asked: Linux answers from /proc in microseconds; elsewhere `ps` is started, so there the watch is coarser.
 */
export function residentBytes(pid: number): Promise<number | undefined> {
  return process.platform === 'linux' ? readFromProc(pid) : readFromPs(pid);
}

/** `VmRSS` and `VmSwap` are in kB whatever the page size is, unlike the columns of `statm`. */
async function readFromProc(pid: number): Promise<number | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(status);
    if (resident === null) return undefined;
    const swapped = /^VmSwap:\s+(\d+) kB$/m.exec(status);
    return (Number(resident[1]) + Number(swapped?.[1] ?? 0)) * 1024;
  } catch {
    return undefined;
  }
}

/** POSIX: resident set in kB. */
export function readFromPs(pid: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    execFile('ps', ['-o', 'rss=', '-p', String(pid)], (error, stdout) => {
      const kilobytes = Number(stdout.trim());
      resolve(error === null && stdout.trim() !== '' && Number.isFinite(kilobytes) ? kilobytes * 1024 : undefined);
    });
  });
}
