/** One announced archive on its way through the pipeline; what the steps hand to each other. */
import type { BusRecord } from '../../platform/bus/bus.ts';

/** The announcement with everything the report will need from it. */
export interface Upload {
  readonly url: string;
  /** What ingress counted; a hint, nothing relies on it. */
  readonly announcedBytes: number | undefined;
  readonly requestId: string | null;
  readonly orgId: number;
  /** 0 when unknown. */
  readonly accountNumber: number;
  /** A valid id from the announcement or the identity; else the archive has to tell. */
  readonly clusterId: string | undefined;
  /** The announcement's timestamp, unchanged. */
  readonly lastChecked: string;
  readonly gatheredAt: Date;
}

/** How far an announcement came and when, for log, metrics and announcements. Filled in by `pipeline.ts` as it goes. */
export interface UploadProgress {
  readonly record: BusRecord;
  /** Monotonic milliseconds. */
  readonly receivedMs: number;
  /** When its archive was first asked for: it may have waited long for its turn before. */
  fetchStartedMs?: number;
  /** Whom it is about, as the texts of the announcement. */
  subject?: {
    readonly requestId: string | null;
    readonly orgId: string | undefined;
    readonly account: string | undefined;
  };
  downloadedMs?: number;
  evaluatedMs?: number;
  archiveKind: 'ocp' | 'hypershift';
}
