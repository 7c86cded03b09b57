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
import type { RuleSettings } from '../../../rules/engine/rule-settings.ts';
import type { PackProgramSource } from '../../../rules/packs/pack-set.ts';
import { answerRunnerFailure, FACT_LABEL_PREFIX, type RunnerFailureLimits } from '../decide/answer-runner-failure.ts';
import type { RuleQuarantine } from '../rule-quarantine.ts';
import { PACKS_WANTED, type RuleRun, type RuleRunResult } from '../runner/rule-run.ts';
import type { Upload } from '../upload.ts';

export interface RunRulesDependencies {
  readonly runners: Pick<RunnerPool<RuleRun, RuleRunResult>, 'run'>;
  readonly quarantine: RuleQuarantine;
  readonly archiveLimits: ArchiveLimits;
  readonly selection: RuleSelection;
  /** Those in force now; they may change from archive to archive. */
  readonly packs: () => PackProgramSource;
  /** All rules of packs over one archive together. */
  readonly packsMsMax: number;
  readonly settings: RuleSettings;
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
  const packs = dependencies.packs();
  const without = { leaveOut, leaveOutFacts, packs };
  const soFar = { killedRules: 0, killedPackRules: 0, killedFacts: 0, unexplainedDeaths: 0 };
  const leaveOutLonger = (rule: string) => {
    if (dependencies.quarantine.add(rule, upload)) dependencies.onRuleQuarantined(rule);
  };
  for (;;) {
    const result = await runOnce(upload, packed, without, dependencies, attempt.signal);
    if (!(result instanceof RunnerError)) {
      for (const { component } of result.overLimit) leaveOutLonger(component);
      return done(result);
    }

    const answer = answerRunnerFailure(result, soFar, dependencies.failureLimits);
    switch (answer.kind) {
      case 'without-pack-rule':
      case 'without-packs':
        soFar.killedPackRules += 1;
        leaveOut.add(answer.rule);
        if (answer.kind === 'without-packs') for (const { module } of packs.rules) leaveOut.add(module);
        dependencies.onKilled(answer.rule, result);
        leaveOutLonger(answer.rule);
        continue;
      case 'without-rule':
        soFar.killedRules += 1;
        leaveOut.add(answer.rule);
        dependencies.onKilled(answer.rule, result);
        leaveOutLonger(answer.rule);
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
  without: {
    readonly leaveOut: ReadonlySet<string>;
    readonly leaveOutFacts: ReadonlySet<string>;
    readonly packs: PackProgramSource;
  },
  dependencies: RunRulesDependencies,
  signal: AbortSignal,
): Promise<RuleRunResult | RunnerError> {
  const run = (source: PackProgramSource | undefined) => {
    const { version } = without.packs;
    const job = {
      packed,
      limits: dependencies.archiveLimits,
      clusterId: upload.clusterId,
      gatheredAt: upload.gatheredAt.toISOString(),
      selection: dependencies.selection,
      packs: version === '' ? undefined : { version, source, msMax: dependencies.packsMsMax },
      settings: dependencies.settings,
      leaveOut: [...without.leaveOut],
      leaveOutFacts: [...without.leaveOutFacts],
    };
    return dependencies.runners
      .run(job, {
        signal,
        owner: String(upload.orgId),
        onCpu: (cpuMs) => dependencies.onCpu(upload.orgId, cpuMs),
      })
      .catch((error: unknown) => {
        signal.throwIfAborted();
        if (error instanceof RunnerError) return error;
        throw error;
      });
  };
  const result = await run(undefined);
  // Once for each runner and version: they would be more to send than most archives.
  return result instanceof RunnerError && result.code === PACKS_WANTED ? run(without.packs) : result;
}
