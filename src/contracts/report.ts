/**
 * The result document of one archive, as `ccx.ocp.results` carries it in `Report`.
 * Produced by: rules engine → consumed by: notification writer, results aggregator. Source: data-pipeline.md 4.3, 4.4.
 */
import type { JsonObject } from '../encoding/json-text.ts';

interface ReportItem {
  /** `<module>.report` */
  readonly component: string;
  readonly key: string;
  readonly tags: readonly string[];
  readonly links: Readonly<Record<string, readonly string[]>>;
}

/** The item that a rule's verdict becomes in `reports`; its `key` is the error key. */
export interface RuleHit extends ReportItem {
  /** `<last module segment>|<KEY>` */
  readonly rule_id: string;
  readonly type: 'rule';
  /** What templates see as `pydata`: the rule's own values plus `type` and `error_key`. */
  readonly details: JsonObject;
}

export interface InfoItem extends ReportItem {
  readonly info_id: string;
  readonly type: 'info';
  /** Values are strings: the results aggregator decodes them into a string map. */
  readonly details: Readonly<Record<string, string>>;
}

export interface PassItem extends ReportItem {
  readonly pass_id: string;
  readonly type: 'pass';
  readonly details: JsonObject;
}

/** The rule looked, and what it looks at is not in the archive: its issue is not there. The reference's only reason. */
export const SKIP_MISSING_REQUIREMENTS = 'MISSING_REQUIREMENTS';
/** The rule is in quarantine, or took its runner down over this very archive. */
export const SKIP_RULE_LEFT_OUT = 'RULE_LEFT_OUT';
/** The rule, or what prepares the facts that it needs, threw. */
export const SKIP_RULE_FAILED = 'RULE_FAILED';
/** A file that the rule needs is in the archive and cannot be read or parsed, or is over a limit. */
export const SKIP_INPUT_BROKEN = 'INPUT_BROKEN';
/** A file that every archive of that operator version holds is not in this one. */
export const SKIP_INPUT_MISSING = 'INPUT_MISSING';

/**
 * Reasons of our own: the rule did not run, or not over everything, so that a report without its hit says nothing about its issue. Every
 * other reason, `MISSING_REQUIREMENTS` and those of other pipelines, means that the issue is not there. A rule may stand in `reports` and
 * in `skips` with one of these: what it found holds, what it did not find is not known.
 */
export const notRunReasons = [SKIP_RULE_LEFT_OUT, SKIP_RULE_FAILED, SKIP_INPUT_BROKEN, SKIP_INPUT_MISSING] as const;

type NotRunReason = (typeof notRunReasons)[number];

export interface SkipItem {
  /** `<module>.report` */
  readonly rule_fqdn: string;
  readonly reason: typeof SKIP_MISSING_REQUIREMENTS | NotRunReason;
  readonly details: string;
  readonly type: 'skip';
}

interface AnalysisMetadata {
  /** RFC 3339 with microseconds and offset, e.g. `2021-12-13T15:51:02.895120+00:00`. */
  readonly start: string;
  readonly finish: string;
  readonly execution_context: string;
  readonly plugin_sets: Readonly<Record<string, { readonly version: string; readonly commit: string | null }>>;
}

export interface Report {
  readonly system: { readonly metadata: JsonObject; readonly hostname: string | null };
  readonly reports: readonly RuleHit[];
  readonly fingerprints: readonly JsonObject[];
  readonly skips: readonly SkipItem[];
  readonly info: readonly InfoItem[];
  readonly pass: readonly PassItem[];
  readonly analysis_metadata: AnalysisMetadata;
}
