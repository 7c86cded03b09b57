/** What is known of one message at each stage of its way through the writer. Made by the steps, held together by `pipeline.ts`. */
import type { ReceivedReport } from '../../contracts/parse-ocp-results.ts';
import type { Moment } from '../../encoding/rfc3339.ts';
import type { BusRecord } from '../../platform/bus/bus.ts';

/** After `parse-report` and `shrink-report`. */
export interface ParsedReport {
  readonly received: ReceivedReport;
  /** The text for the table, bytes as the sender wrote them. */
  readonly text: Buffer;
  /** Size of the whole report in the same canonical form. */
  readonly originalBytes: number;
}

/** After `check-report`. */
export interface CheckedReport extends ParsedReport {
  readonly lastChecked: Moment;
  /** When it was found fit, in microseconds; becomes `updated_at`. Strictly increasing within this process. */
  readonly processedAt: bigint;
}

/** The catalogue that made a report, from the message's headers. */
export interface Catalogue {
  readonly version: string;
  /** JSON array of the modules of all its rules, sorted, each once. */
  readonly rules: string;
  readonly rulesSha256: Buffer;
}

/** A list of skipped rules, which many reports have in common. */
export interface SkippedRules {
  /** JSON object by module. */
  readonly rules: string;
  readonly sha256: Buffer;
}

/** What a message tells that could not be used; a label of the metric. */
export type IgnoredFact = 'catalogue' | 'skips' | 'gathering-time' | 'cluster-version';

/** After `read-facts`: what the shared table drops of a report, for `ccx.report_facts`. */
export interface ReportFacts {
  readonly gatheredMicros: bigint | undefined;
  readonly clusterVersion: string | undefined;
  /** Undefined: another pipeline made the report, or its headers could not be used. */
  readonly catalogue: Catalogue | undefined;
  /** A JSON object by module; undefined where there is none. So is what was skipped. */
  readonly didNotRun: string | undefined;
  readonly skipped: SkippedRules | undefined;
  readonly ignored: readonly IgnoredFact[];
}

/** After `prepare-row`: what the table is asked to take. */
export interface ReportRow {
  readonly record: Pick<BusRecord, 'topic' | 'topicId' | 'partition' | 'offset' | 'value'>;
  /** As tables keep it; empty when the message had none. */
  readonly requestId: string;
  /** 16 bytes: the same for the same request, cluster and `LastChecked`, and for nothing else. Null when the message had no request. */
  readonly requestKey: Buffer | null;
  readonly orgId: number;
  readonly accountNumber: number;
  readonly cluster: string;
  /** Canonical text of `LastChecked`. */
  readonly lastChecked: string;
  /** The same in microseconds. */
  readonly lastCheckedMicros: bigint;
  readonly processedAt: bigint;
  readonly text: Buffer;
  readonly facts: ReportFacts;
}

/** Whom a message is about, for status messages, traces, logs and dead letters; as far as it could be read. */
export interface ReportSubject {
  /** Empty: the message is not tracked. */
  readonly requestId: string;
  readonly orgId: number | undefined;
  readonly cluster: string | undefined;
}
