/**
 * Hops 4 and 5: opens the archive and runs the rules over it, in a runner process. A rule that takes its runner down costs that rule: the
 * archive runs again without it, and for a while the next ones do, too. Files that do so cost their archive the rules that need them. Source: data-pipeline.md 4, 6.3; architecture.md 6.
 */

import type { CcxError } from '../../../encoding/ccx-error.ts';
import type { ArchiveLimits } from '../../../platform/archive/archive.ts';
import { deadLetter, done, retry, type StepAnswer, type StepAttempt } from '../../../platform/bus/intake/step.ts';
import { RunnerError } from '../../../platform/runner-pool/runner-job.ts';
import type { RunnerPool } from '../../../platform/runner-pool/runner-pool.ts';
import type { RuleSelection } from '../../../rules/engine/rule.ts';
import { answerRunnerFailure, FACT_LABEL_PREFIX, type RunnerFailureLimits } from '../decide/answer-runner-failure.ts';
import type { RuleQuarantine } from '../rule-quarantine.ts';
import type { RuleRun, RuleRunResult } from '../runner/rule-run.ts';
import type { Upload } from '../upload.ts';

export interface RunRulesDependencies {
  readonly runners: Pick<RunnerPool<RuleRun, RuleRunResult>, 'run'>;
  readonly quarantine: RuleQuarantine;
  readonly archiveLimits: ArchiveLimits;
  readonly selection: RuleSelection;
  readonly failureLimits: RunnerFailureLimits;
  /** What an attempt took of the CPU. */
  readonly onCpu: (orgId: number, cpuMs: number) => void;
  /** A rule, or a fact as `fact <name>`, took its runner down. */
  readonly onKilled: (component: string, error: CcxError) => void;
  readonly onRuleQuarantined: (rule: string) => void;
}

export async function runRules(
  upload: Upload,
  packed: RuleRun['packed'],
  dependencies: RunRulesDependencies,
  attempt: StepAttempt,
): Promise<StepAnswer<RuleRunResult>> {
  const leaveOut = dependencies.quarantine.leftOutFor(upload);
  const leaveOutFacts = new Set<string>();
  const soFar = { killedRules: 0, killedFacts: 0, unexplainedDeaths: 0 };
  for (;;) {
    const result = await runOnce(upload, packed, { leaveOut, leaveOutFacts }, dependencies, attempt.signal);
    if (!(result instanceof RunnerError)) return done(result);

    const answer = answerRunnerFailure(result, soFar, dependencies.failureLimits);
    switch (answer.kind) {
      case 'without-rule':
        soFar.killedRules += 1;
        leaveOut.add(answer.rule);
        dependencies.onKilled(answer.rule, result);
        if (dependencies.quarantine.add(answer.rule, upload)) dependencies.onRuleQuarantined(answer.rule);
        continue;
      case 'without-fact':
        soFar.killedFacts += 1;
        leaveOutFacts.add(answer.fact);
        dependencies.onKilled(`${FACT_LABEL_PREFIX}${answer.fact}`, result);
        continue;
      case 'again':
        soFar.unexplainedDeaths += 1;
        continue;
      case 'later':
        return retry(result, attempt.retryMs);
      case 'give-up':
        return deadLetter(result);
    }
  }
}

async function runOnce(
  upload: Upload,
  packed: RuleRun['packed'],
  without: { readonly leaveOut: ReadonlySet<string>; readonly leaveOutFacts: ReadonlySet<string> },
  dependencies: RunRulesDependencies,
  signal: AbortSignal,
): Promise<RuleRunResult | RunnerError> {
  try {
    const job = {
      packed,
      limits: dependencies.archiveLimits,
      clusterId: upload.clusterId,
      gatheredAt: upload.gatheredAt.toISOString(),
      selection: dependencies.selection,
      leaveOut: [...without.leaveOut],
      leaveOutFacts: [...without.leaveOutFacts],
    };
    return await dependencies.runners.run(job, {
      signal,
      owner: String(upload.orgId),
      onCpu: (cpuMs) => dependencies.onCpu(upload.orgId, cpuMs),
    });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RunnerError) return error;
    throw error;
  }
}
