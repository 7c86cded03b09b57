/**
 * Packed archive → report text, inside a runner: opens it under limits, finds the cluster, runs the rules. Called by the runner's entry
 * with the whole catalog, and by tests with rules that misbehave. Deadlines and memory are watched from outside; here every step says
 * its name before it begins, so that a kill can be blamed on it.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { moduleOfComponent } from '../../../contracts/rule-content.ts';
import { serializeReport } from '../../../contracts/serialize-ocp-results.ts';
import { CcxError, errorText, inputError } from '../../../encoding/ccx-error.ts';
import { openArchiveCounting } from '../../../platform/archive/open-archive.ts';
import { createSystemClock } from '../../../platform/clock/clock.ts';
import type { JobContext } from '../../../platform/runner-pool/runner-job.ts';
import { isOverBudget } from '../../../rules/engine/archive-view.ts';
import { evaluateArchive, readClusterId } from '../../../rules/engine/evaluate-archive.ts';
import type { Rule } from '../../../rules/engine/rule.ts';
import { catalogueOf, selectRules } from '../../../rules/engine/rule.ts';
import type { PackProgram } from '../../../rules/packs/run-packs.ts';
import { FACT_LABEL_PREFIX, RULE_LABEL_PREFIX } from '../decide/answer-runner-failure.ts';
import { PACKS_WANTED, type RuleRun, type RuleRunResult } from './rule-run.ts';

/** Of `all` those run that the job selects. Throws a `CcxError` `ARCHIVE_*` for an archive that cannot be opened, `CLUSTER_ID_MISSING` for one of an unknown cluster, `REPORT_INVALID` for a rule's bug. */
export async function runRulesOverArchive(
  run: RuleRun,
  all: readonly Rule[],
  context: JobContext,
): Promise<RuleRunResult> {
  const clock = createSystemClock();
  const rules = selectRules(all, run.selection);
  const packs = await packProgram(run.packs);
  const startedMs = clock.monotonicMs();
  context.label('open the archive');
  const { files, unpackedBytes, skippedEntries } = await openArchiveCounting(packedBytes(run.packed), run.limits);
  context.label('find the cluster');
  const clusterId = run.clusterId ?? readClusterId(files);
  // A report without a cluster is of no use to anybody; the reference publishes it and its readers refuse it. Source: data-pipeline.md 6.3.
  if (clusterId === undefined) throw inputError('CLUSTER_ID_MISSING', clusterIdMissing);
  const openedMs = clock.monotonicMs();

  const leaveOut = new Set(run.leaveOut);
  const evaluation = evaluateArchive({
    files,
    rules,
    ...(packs === undefined ? {} : { packs, packsMsMax: run.packs!.msMax }),
    now: new Date(run.gatheredAt),
    settings: run.settings,
    skipRules: leaveOut,
    skipFacts: new Set(run.leaveOutFacts),
    beforeFact: (fact) => context.label(`${FACT_LABEL_PREFIX}${fact}`),
    beforeRule: (module) => context.label(`${RULE_LABEL_PREFIX}${module}`),
    clock,
  });
  context.label('write the report');
  const reportText = serializeReport(evaluation.report);

  const selected = [...rules, ...(packs?.rules ?? [])];
  const stopped = new Set([...evaluation.failures, ...evaluation.overLimit].map(({ component }) => component));
  return {
    clusterId,
    reportText,
    hits: evaluation.report.reports.length,
    archiveKind: evaluation.archiveKind,
    remoteConfigurationVersion: evaluation.remoteConfigurationVersion,
    files: files.size,
    unpackedBytes,
    skippedEntries,
    brokenFiles: evaluation.brokenFiles.length,
    oversizedFiles: evaluation.brokenFiles.filter(({ reason }) => isOverBudget(reason)).length,
    catalogue: catalogueOf(rules, packs),
    rulesRun: selected.filter(({ module }) => !leaveOut.has(module) && !stopped.has(module)).length,
    skips: evaluation.report.skips.map(({ rule_fqdn, reason }) => ({ rule: moduleOfComponent(rule_fqdn), reason })),
    failures: evaluation.failures.map(described),
    overLimit: evaluation.overLimit.map(described),
    openMs: openedMs - startedMs,
    rulesMs: clock.monotonicMs() - openedMs,
  };
}

function described({ component, cause }: { readonly component: string; readonly cause: unknown }) {
  return { component, error: errorText(cause) };
}

/** The packs of the last job: they change rarely, and compiling them takes longer than an archive. */
let lastPacks: PackProgram | undefined;

async function packProgram(packs: RuleRun['packs']): Promise<PackProgram | undefined> {
  if (packs === undefined || lastPacks?.version === packs.version) return packs && lastPacks;
  if (packs.source === undefined) {
    throw new CcxError('this runner does not have the rule packs yet', { code: PACKS_WANTED, category: 'internal' });
  }
  // Only where there are packs: their language is more code than the rest of a runner.
  const { PackProgram } = await import('../../../rules/packs/run-packs.ts');
  lastPacks = new PackProgram(packs.source);
  return lastPacks;
}

function packedBytes(packed: RuleRun['packed']): Buffer {
  if (Buffer.isBuffer(packed)) return packed;
  try {
    const descriptor = openSync(packed.path, 'r');
    try {
      const bytes = Buffer.allocUnsafeSlow(packed.bytes);
      let at = 0;
      for (let read = -1; read !== 0 && at < bytes.length; at += read)
        read = readSync(descriptor, bytes, at, bytes.length - at, null);
      return bytes.subarray(0, at);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw new CcxError('the archive cannot be read', {
      code: 'ARCHIVE_UNREADABLE',
      category: 'connection',
      retryable: true,
      cause,
    });
  }
}

const clusterIdMissing = 'no valid cluster id in the announcement, the identity or the file config/id';
