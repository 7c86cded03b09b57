/** What the data pipeline needs from the outside, in its own words. */
import type { RuleRun, RuleRunResult } from './runner/rule-run.ts';

/** Where archives are fetched from. */
export interface ArchiveSource {
  /** The whole archive. Rejects with a `CcxError` (codes `DOWNLOAD_*`, `ARCHIVE_EMPTY`, `ARCHIVE_TOO_BIG`), or with the signal's reason. */
  download(request: DownloadRequest): Promise<Buffer>;
}

export interface DownloadRequest {
  readonly url: string;
  readonly bytesMax: number;
  /** Asked before that many bytes in all are held; a refusal ends the download with `DOWNLOAD_NO_ROOM`. */
  readonly reserve: (bytes: number) => boolean;
  readonly signal: AbortSignal;
}

/** Where rules run. Rejects with a `RunnerError`. */
export interface RuleRunners {
  run(job: RuleRun, options: RuleRunOptions): Promise<RuleRunResult>;
}

interface RuleRunOptions {
  readonly signal: AbortSignal;
  /** The organization: each gets the same CPU time. */
  readonly owner: string;
  readonly onCpu: (cpuMs: number) => void;
}
