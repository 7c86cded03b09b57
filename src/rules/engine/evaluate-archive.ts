/**
 * One archive and a list of rules → one report. Called by the data pipeline (in its rule runners), by tests and by the rule benchmark.
 * Runs to the end on any archive: a rule or a fact that throws is listed and ignored. A rule that loops or eats memory is not contained
 * here but from outside, by whoever runs this in a process of its own; `beforeRule` tells that process which rule is next.
 */
import type { InfoItem, PassItem, Report, RuleHit, SkipItem } from '../../contracts/report.ts';
import { type ArchiveKind, archiveKindOf } from './archive-kind.ts';
import { createArchiveView } from './archive-view.ts';
import { createFacts } from './facts.ts';
import { remoteConfigurationVersion } from './remote-configuration.ts';
import { reportItem, skipItem } from './report-items.ts';
import type { Rule } from './rule.ts';
import { formatMicros } from './timestamp.ts';
import { RULES_VERSION } from './version.ts';

export interface EvaluateArchiveOptions {
  /** Path from the archive's root → bytes. */
  readonly files: ReadonlyMap<string, Buffer>;
  readonly rules: readonly Rule[];
  /** The announcement's gathering time; rules compare dates with it. */
  readonly now: Date;
  /** Modules of rules that must not run, e.g. one that took a runner down before. They leave nothing in the report. */
  readonly skipRules?: ReadonlySet<string>;
  /** Called with the rule's module before it and the facts it asks for run. */
  readonly beforeRule?: (module: string) => void;
  /** Microseconds since the epoch, for `analysis_metadata` only. */
  readonly clock: { nowMicros(): bigint };
}

export interface EvaluationFailure {
  /** Module of the rule, or `fact <name>`. */
  readonly component: string;
  readonly cause: unknown;
}

export interface Evaluation {
  readonly report: Report;
  readonly failures: readonly EvaluationFailure[];
  readonly archiveKind: ArchiveKind;
  /** For the pipeline's counter of remote configurations; undefined when the archive holds none. */
  readonly remoteConfigurationVersion: string | undefined;
  /** Files that were asked for and could not be read as JSON, at most a hundred. */
  readonly brokenFiles: readonly { readonly path: string; readonly reason: string }[];
}

/** What published reports name as their context. Source: data-pipeline.md 4.1. */
const executionContext = 'ccx_ocp_core.context.InsightsOperatorContext';

export function evaluateArchive(options: EvaluateArchiveOptions): Evaluation {
  const start = options.clock.nowMicros();
  const archive = createArchiveView(options.files);
  const failures: EvaluationFailure[] = [];
  const facts = createFacts(archive, (fact, cause) => failures.push({ component: `fact ${fact}`, cause }));
  const lists = { reports: [] as RuleHit[], pass: [] as PassItem[], info: [] as InfoItem[], skips: [] as SkipItem[] };

  for (const rule of options.rules) {
    if (options.skipRules?.has(rule.module)) continue;
    options.beforeRule?.(rule.module);
    try {
      const skip = skipItem(rule, facts);
      if (skip !== undefined) {
        lists.skips.push(skip);
        continue;
      }
      const result = reportItem(rule, rule.evaluate(facts, { now: options.now }));
      if (result?.list === 'reports') lists.reports.push(result.item);
      else if (result?.list === 'pass') lists.pass.push(result.item);
      else if (result?.list === 'info') lists.info.push(result.item);
    } catch (cause) {
      failures.push({ component: rule.module, cause });
    }
  }

  return {
    report: {
      system: { metadata: {}, hostname: null },
      reports: lists.reports,
      fingerprints: [],
      skips: lists.skips,
      info: lists.info,
      pass: lists.pass,
      analysis_metadata: {
        start: formatMicros(start),
        finish: formatMicros(options.clock.nowMicros()),
        execution_context: executionContext,
        plugin_sets: { 'ccx-notifications': { version: `ccx-notifications-${RULES_VERSION}`, commit: null } },
      },
    },
    failures,
    archiveKind: archiveKindOf(archive),
    remoteConfigurationVersion: remoteConfigurationVersion(archive),
    brokenFiles: archive.broken(),
  };
}
