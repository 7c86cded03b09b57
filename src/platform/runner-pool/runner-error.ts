/** Why a job of the runner pool has no result, with what the child was in when it ended. */
import { CcxError, type CcxErrorOptions } from '../../encoding/ccx-error.ts';

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
