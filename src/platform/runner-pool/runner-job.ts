/**
 * What a module must export to be run by the runner pool, and what passes between parent and child. Imported by the modules that
 * are run, by the child's entry and by the parent.
 */
import { CcxError, type CcxErrorOptions, type ErrorCategory } from '../../encoding/ccx-error.ts';

/** Handed to a job. */
export interface JobContext {
  /**
   * Says what the job is about to do, e.g. a rule's module. It leaves the process synchronously, so that whoever kills a child that no
   * longer answers still knows what it was in.
   */
  label(text: string): void;
}

/** The module's export `runJob`. Job and result travel by structured clone: plain data, Buffers, Maps, BigInts. */
export type RunJob<Job, Result> = (job: Job, context: JobContext) => Promise<Result> | Result;

export interface RunnerModule<Job, Result> {
  readonly runJob: RunJob<Job, Result>;
}

/** Parent → child. */
export type ToChild =
  | {
      readonly kind: 'start';
      readonly module: string;
      readonly parentPid: number;
      /** An open file of the parent, to try whether it can be read. */
      readonly openFile: string | undefined;
    }
  | { readonly kind: 'job'; readonly id: number; readonly job: unknown };

/** Child → parent; `cpuMs` is what the job took of all threads of the process. */
export type FromChild =
  | { readonly kind: 'ready'; readonly readsOpenFiles: boolean }
  | { readonly kind: 'result'; readonly id: number; readonly cpuMs: number; readonly value: unknown }
  /** `label`: the last one. */
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly cpuMs: number;
      readonly label: string | undefined;
      readonly error: JobFailure;
    };

/** A thrown value as data; the members after `cause` are there when a `CcxError` was thrown. */
export interface JobFailure {
  readonly message: string;
  /** For people: of a `CcxError` the texts of its causes, of anything else, which is a bug, the stack. */
  readonly cause: string | undefined;
  readonly code?: string;
  readonly category?: ErrorCategory;
  readonly retryable?: boolean;
  readonly hint?: string | undefined;
}

/**
 * Codes of the pool itself; a `CcxError` that the job threw keeps its own code.
 *
 * | code | what happened | retryable |
 * |---|---|---|
 * | `RUNNER_TIMEOUT` | over its deadline, or too long in one step; the child was killed | no |
 * | `RUNNER_MEMORY` | over its memory limit; the child was killed, or V8 gave up | no |
 * | `RUNNER_CRASHED` | the child ended by itself or by somebody else's signal | no |
 * | `RUNNER_JOB_FAILED` | the job threw something that is not a `CcxError` | no |
 * | `RUNNER_CANCELLED` | the caller's signal aborted | no |
 * | `RUNNER_QUEUE_FULL` | too many jobs wait | yes |
 * | `RUNNER_UNAVAILABLE` | no child can be started | yes |
 * | `RUNNER_CLOSED` | the pool was closed | yes |
 */
export class RunnerError extends CcxError {
  /** The last label that the job wrote; undefined when it wrote none or never ran. */
  readonly label: string | undefined;

  constructor(message: string, options: CcxErrorOptions & { readonly label?: string | undefined }) {
    super(message, options);
    this.name = 'RunnerError';
    this.label = options.label;
  }
}
