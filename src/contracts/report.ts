/**
 * The result document of one archive, as `ccx.ocp.results` carries it in `Report`.
 * Produced by: rules engine → consumed by: notification writer, results aggregator. Source: data-pipeline.md 4.3, 4.4.
 */
import type { JsonObject } from './json.ts';

/** The item that a rule's verdict becomes in `reports`. */
export interface RuleHit {
  /** `<last module segment>|<KEY>` */
  readonly rule_id: string;
  /** `<module>.report` */
  readonly component: string;
  readonly type: 'rule';
  /** The error key. */
  readonly key: string;
  /** What templates see as `pydata`: the rule's own values plus `type` and `error_key`. */
  readonly details: JsonObject;
  readonly tags: readonly string[];
  readonly links: Readonly<Record<string, readonly string[]>>;
}

export interface InfoItem {
  readonly info_id: string;
  readonly component: string;
  readonly type: 'info';
  readonly key: string;
  /** Values are strings: the results aggregator decodes them into a string map. */
  readonly details: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly links: Readonly<Record<string, readonly string[]>>;
}

export interface PassItem {
  readonly pass_id: string;
  readonly component: string;
  readonly type: 'pass';
  readonly key: string;
  readonly details: JsonObject;
  readonly tags: readonly string[];
  readonly links: Readonly<Record<string, readonly string[]>>;
}

export interface SkipItem {
  readonly rule_fqdn: string;
  readonly reason: 'MISSING_REQUIREMENTS';
  readonly details: string;
  readonly type: 'skip';
}

export interface AnalysisMetadata {
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
