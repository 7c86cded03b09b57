/** What to do with an archive whose runner gave no result. Called after every failed attempt of one archive. */

/** Label of a rule's run: this and the rule's module. Everything else in a runner has a label without it. */
export const RULE_LABEL_PREFIX = 'rule ';

export interface RunnerFailure {
  /** `RUNNER_*`, or the code of the error that the job threw. */
  readonly code: string;
  readonly retryable: boolean;
  readonly label: string | undefined;
}

export interface AttemptsSoFar {
  readonly killedRules: number;
  /** Attempts, this one included, that ended outside any rule. */
  readonly unexplainedDeaths: number;
}

export interface RunnerFailureLimits {
  readonly killedRulesMax: number;
  readonly unexplainedDeathsMax: number;
}

export type RunnerFailureAnswer =
  /** Run the archive again without this rule. */
  | { readonly kind: 'without-rule'; readonly rule: string }
  | { readonly kind: 'again' }
  /** There is no runner at the moment; the archive is not to blame. */
  | { readonly kind: 'later' }
  /** The archive is bad, or costs too much. */
  | { readonly kind: 'give-up' };

const deaths: ReadonlySet<string> = new Set(['RUNNER_TIMEOUT', 'RUNNER_MEMORY', 'RUNNER_CRASHED']);

export function answerRunnerFailure(
  failure: RunnerFailure,
  soFar: AttemptsSoFar,
  limits: RunnerFailureLimits,
): RunnerFailureAnswer {
  if (deaths.has(failure.code)) {
    if (failure.label?.startsWith(RULE_LABEL_PREFIX) === true) {
      if (soFar.killedRules >= limits.killedRulesMax) return { kind: 'give-up' };
      return { kind: 'without-rule', rule: failure.label.slice(RULE_LABEL_PREFIX.length) };
    }
    return { kind: soFar.unexplainedDeaths < limits.unexplainedDeathsMax ? 'again' : 'give-up' };
  }
  return { kind: failure.retryable ? 'later' : 'give-up' };
}
