/** What to do with an archive whose runner gave no result. Called after every failed attempt of one archive. */
import { PACK_MODULE_PREFIX } from '../../../contracts/rule-content.ts';

/** Label of a rule's run: this and the rule's module. */
export const RULE_LABEL_PREFIX = 'rule ';
/** Label of the reading of a fact: this and the fact's name. Everything else in a runner has a label with neither. */
export const FACT_LABEL_PREFIX = 'fact ';

interface RunnerFailure {
  /** `RUNNER_*`, or the code of the error that the job threw. */
  readonly code: string;
  readonly retryable: boolean;
  readonly label: string | undefined;
}

interface AttemptsSoFar {
  readonly killedRules: number;
  /** Rules of packs, which are none of those. */
  readonly killedPackRules: number;
  readonly killedFacts: number;
  /** Attempts before this one that ended outside any rule or fact. */
  readonly unexplainedDeaths: number;
}

export const runnerFailureLimits = {
  /** Rules that one archive may lose by kills before it is dead-lettered: each costs up to the time limit of a rule. */
  killedRulesMax: 8,
  /** Rules of packs that one archive may lose by kills; then it runs without any, since packs must not cost it anything else. */
  killedPackRulesMax: 3,
  /** Facts that one archive may lose by kills: what may be parsed is bounded, so that a genuine one loses none. */
  killedFactsMax: 2,
  /** Attempts of an archive whose runner died outside any rule or fact: the second one tells an accident from a bad archive. */
  unexplainedDeathsMax: 2,
};

export type RunnerFailureLimits = Readonly<typeof runnerFailureLimits>;

export type RunnerFailureAnswer =
  /** Run the archive again without this rule. */
  | { readonly kind: 'without-rule'; readonly rule: string }
  /** Run the archive again without this rule of a pack. */
  | { readonly kind: 'without-pack-rule'; readonly rule: string }
  /** Run the archive again without any rule of a pack; this one was the last straw. */
  | { readonly kind: 'without-packs'; readonly rule: string }
  /** Run the archive again without reading this fact: its files are too costly, and no rule is to blame. */
  | { readonly kind: 'without-fact'; readonly fact: string }
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
    const rule = nameIn(failure.label, RULE_LABEL_PREFIX);
    if (rule?.startsWith(`${PACK_MODULE_PREFIX}.`) === true) {
      const isLast = soFar.killedPackRules + 1 >= limits.killedPackRulesMax;
      return { kind: isLast ? 'without-packs' : 'without-pack-rule', rule };
    }
    if (rule !== undefined) {
      return soFar.killedRules < limits.killedRulesMax ? { kind: 'without-rule', rule } : { kind: 'give-up' };
    }
    const fact = nameIn(failure.label, FACT_LABEL_PREFIX);
    if (fact !== undefined) {
      return soFar.killedFacts < limits.killedFactsMax ? { kind: 'without-fact', fact } : { kind: 'give-up' };
    }
    return { kind: soFar.unexplainedDeaths + 1 < limits.unexplainedDeathsMax ? 'again' : 'give-up' };
  }
  return { kind: failure.retryable ? 'later' : 'give-up' };
}

function nameIn(label: string | undefined, prefix: string): string | undefined {
  return label?.startsWith(prefix) === true ? label.slice(prefix.length) : undefined;
}
