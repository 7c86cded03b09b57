/**
 * One archive and a list of rules → one report. Called by the data pipeline (in its rule runners), by tests and by the rule benchmark.
 * Runs to the end on any archive: a rule or a fact that throws is listed and costs its own findings. A rule that loops or eats memory is not contained
 * here but from outside, by whoever runs this in a process of its own; `beforeFact` and `beforeRule` tell that process what is next.
 */

import { isUuid } from '../../contracts/identifiers.ts';
import { type Report, SKIP_RULE_FAILED, SKIP_RULE_LEFT_OUT } from '../../contracts/report.ts';
import { PACK_INPUTS_FACT, type PackRule } from '../packs/pack.ts';
import type { PackInputs, PackProgram } from '../packs/run-packs.ts';
import { type ArchiveView, type BrokenFile, createArchiveView } from './archive-view.ts';
import { type FactName, type Facts, readFacts } from './facts.ts';
import { listAt, textAt } from './json-access.ts';
import { inputTrouble, notRun, ReportLists, skipItem } from './report-items.ts';
import type { Rule } from './rule.ts';
import { makeFail, RULES_VERSION } from './rule.ts';
import { defaultRuleSettings, type RuleSettings } from './rule-settings.ts';

/** `config/id` holds a hyphenated UUID; whatever follows is ignored. Source: data-pipeline.md 6.3. */
const clusterIdCharacters = 36;

export interface EvaluateArchiveOptions {
  /** Path from the archive's root → bytes. */
  readonly files: ReadonlyMap<string, Buffer>;
  readonly rules: readonly Rule[];
  /** The rules of packs, which run behind the others. */
  readonly packs?: PackProgram | undefined;
  /** All rules of packs together; the rest is left out. */
  readonly packsMsMax?: number;
  /** The announcement's gathering time; rules compare dates with it. */
  readonly now: Date;
  /** What rules fire on; the defaults where absent. */
  readonly settings?: RuleSettings | undefined;
  /** Modules of rules that must not run, e.g. one that took a runner down before; the report says so of each. */
  readonly skipRules?: ReadonlySet<string>;
  /** Names of facts that must not be read, since reading them took a runner down: their files count as broken. */
  readonly skipFacts?: ReadonlySet<string>;
  /** Called with the fact's name before it is read; all facts are, before the first rule. */
  readonly beforeFact?: (fact: string) => void;
  /** Called with the rule's module before it runs. */
  readonly beforeRule?: (module: string) => void;
  /** Microseconds since the epoch, for `analysis_metadata` only. */
  readonly clock: { nowMicros(): bigint };
}

interface EvaluationFailure {
  /** Module of the rule, or `fact <name>`. */
  readonly component: string;
  readonly cause: unknown;
}

export interface Evaluation {
  readonly report: Report;
  readonly failures: readonly EvaluationFailure[];
  /** Rules of packs that went over their own limits, and were stopped. */
  readonly overLimit: readonly EvaluationFailure[];
  readonly archiveKind: ArchiveKind;
  /** For the pipeline's counter of remote configurations; undefined when the archive holds none. */
  readonly remoteConfigurationVersion: string | undefined;
  /** Files that were asked for and could not be read as JSON, at most a hundred. */
  readonly brokenFiles: readonly BrokenFile[];
}

/** What published reports name as their context. Source: data-pipeline.md 4.1. */
const executionContext = 'ccx_ocp_core.context.InsightsOperatorContext';

export function evaluateArchive(options: EvaluateArchiveOptions): Evaluation {
  const start = options.clock.nowMicros();
  const failures: EvaluationFailure[] = [];
  const { sheet, isLost, isLostPath, packInputs, ...seen } = readArchive(options, failures);
  const lists = new ReportLists();
  const context = { now: options.now, settings: options.settings ?? defaultRuleSettings };

  for (const rule of options.rules) {
    if (options.skipRules?.has(rule.module)) {
      lists.skips.push(notRun(rule, SKIP_RULE_LEFT_OUT, 'left out: it took its process down'));
      continue;
    }
    options.beforeRule?.(rule.module);
    const skip = skipItem(rule, sheet, isLost);
    if (skip !== undefined) {
      lists.skips.push(skip);
      continue;
    }
    sheet.takeLookedAt();
    try {
      lists.add(rule, rule.evaluate(sheet.facts, context));
      // What it found holds; what it did not find may be in a file that cannot be read.
      const trouble = inputTrouble(rule, sheet, sheet.takeLookedAt());
      if (trouble !== undefined) lists.skips.push(trouble);
    } catch (cause) {
      failures.push({ component: rule.module, cause });
      lists.skips.push(notRun(rule, SKIP_RULE_FAILED, 'the rule failed'));
    }
  }
  const overLimit = packInputs === undefined ? [] : runPacks(options, { packInputs, isLostPath, lists, failures });

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
    overLimit,
    ...seen,
  };
}

/** Adds what the rules of packs find, and answers with those that went over their limits. */
function runPacks(
  { packs, skipRules, beforeRule, now, clock, packsMsMax = Number.POSITIVE_INFINITY }: EvaluateArchiveOptions,
  found: {
    readonly packInputs: PackInputs;
    readonly isLostPath: (pattern: string) => boolean;
    readonly lists: ReportLists;
    readonly failures: EvaluationFailure[];
  },
): EvaluationFailure[] {
  const { packInputs: inputs, isLostPath: isLost, lists, failures } = found;
  const overLimit: EvaluationFailure[] = [];
  const startMicros = clock.nowMicros();
  const runOne = (rule: PackRule) => {
    const isLate = Number(clock.nowMicros() - startMicros) > packsMsMax * 1_000;
    if (isLate || skipRules?.has(rule.module) === true) {
      const why = isLate ? 'the rules before it took the time of all rules of packs' : 'it went over its limits before';
      lists.skips.push(notRun(rule, SKIP_RULE_LEFT_OUT, `left out: ${why}`));
      return;
    }
    beforeRule?.(rule.module);
    const outcome = packs!.run(rule, { inputs, gatheredAt: now, isLost });
    if (outcome.kind === 'fires') {
      lists.add({ ...rule, links: {} }, makeFail(rule.key, outcome.details));
    } else if (outcome.kind === 'skipped') {
      lists.skips.push(notRun(rule, outcome.reason, outcome.details));
      const failure = { component: rule.module, cause: new Error(outcome.details) };
      if (outcome.overLimit === true) overLimit.push(failure);
      else if (outcome.reason === SKIP_RULE_FAILED) failures.push(failure);
    }
  };
  const rules = packs?.rules ?? [];
  const said = () => lists.reports.length + lists.skips.length;
  let at = 0;
  let saidBefore = said();
  const runRest = () => {
    for (; at < rules.length; at += 1) {
      saidBefore = said();
      runOne(rules[at]!);
    }
  };
  while (at < rules.length && packs!.together(runRest, () => rules[at]) === false && at < rules.length) {
    if (said() === saidBefore) runOne(rules[at]!);
    at += 1;
  }
  return overLimit;
}

/** Everything that is read from the files. In a function of its own, so that parsed files are free before the first rule runs. */
function readArchive(options: EvaluateArchiveOptions, failures: EvaluationFailure[]) {
  const archive = createArchiveView(options.files);
  const beforeFact = options.beforeFact ?? (() => undefined);
  const leaveOut = options.skipFacts ?? new Set<string>();
  const sheet = readFacts(archive, { beforeFact, leaveOut }, (fact, cause) =>
    failures.push({ component: `fact ${fact}`, cause }),
  );
  const lost = lostInputs(archive);
  const { packs } = options;
  if (packs !== undefined && !leaveOut.has(PACK_INPUTS_FACT)) beforeFact(PACK_INPUTS_FACT);
  return {
    sheet,
    isLost: (fact: FactName) => lost.some((input) => input.fact === fact),
    isLostPath: (pattern: string) => lost.some(({ path }) => pattern === path || pattern.startsWith(`${path}/`)),
    packInputs: packs?.read(archive, leaveOut.has(PACK_INPUTS_FACT)),
    archiveKind: archiveKindOf(sheet.facts),
    remoteConfigurationVersion: remoteConfigurationVersion(archive),
    brokenFiles: archive.broken(),
  };
}

/** Label `archive` of the pipeline's metrics. */
type ArchiveKind = 'ocp' | 'hypershift';

/**
 * `hypershift` when the control plane runs outside the cluster. The reference says so of every archive that holds
 * `config/infrastructure.json`, which today is all of them. Source: data-pipeline.md 6.1.
 */
function archiveKindOf(facts: Facts): ArchiveKind {
  return facts.infrastructure?.controlPlaneTopology === 'External' ? 'hypershift' : 'ocp';
}

/** Undefined when the archive holds none; `None` when it names no version. Source: data-pipeline.md 6.1. */
function remoteConfigurationVersion(archive: ArchiveView): string | undefined {
  const document = archive.json('insights-operator/remote-configuration.json');
  return document === undefined ? undefined : (textAt(document, 'version') ?? 'None');
}

/** Microseconds since the epoch as `2021-12-13T15:51:02.895120+00:00`. Source: data-pipeline.md 4.4. */
function formatMicros(micros: bigint): string {
  const milliseconds = new Date(Number(micros / 1000n)).toISOString().slice(0, -1);
  return `${milliseconds}${String(micros % 1000n).padStart(3, '0')}+00:00`;
}

/** What the operator calls the function that gathers it, and where it puts it; only what no cluster is without. */
const gathered: Readonly<Record<string, { readonly fact: FactName; readonly path: string }>> = {
  'clusterconfig/infrastructures': { fact: 'infrastructure', path: 'config/infrastructure.json' },
  'clusterconfig/networks': { fact: 'network', path: 'config/network.json' },
  'clusterconfig/nodes': { fact: 'nodes', path: 'config/node' },
  'clusterconfig/operators': { fact: 'clusterOperators', path: 'config/clusteroperator' },
  'clusterconfig/version': { fact: 'clusterVersion', path: 'config/version.json' },
};

function lostInputs(archive: ArchiveView) {
  const absent = Object.entries(gathered).filter(
    ([, { path }]) => !archive.has(path) && archive.below(path).length === 0,
  );
  if (absent.length === 0) return [];
  const reports = listAt(archive.json('insights-operator/gathers.json'), 'status_reports');
  const names = new Set(reports.map((report) => textAt(report, 'name')));
  return absent.flatMap(([name, input]) => (names.has(name) ? [input] : []));
}

/** The first 36 characters of `config/id` as they are, or undefined when they are no UUID. Source: data-pipeline.md 6.3. */
export function readClusterId(files: ReadonlyMap<string, Buffer>): string | undefined {
  const text = files.get('config/id')?.subarray(0, clusterIdCharacters).toString('latin1');
  return text !== undefined && isUuid(text) ? text : undefined;
}
