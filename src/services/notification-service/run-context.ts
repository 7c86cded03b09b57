/** What the steps of one run share. Built by `run-once.ts`; a step gets everything it needs from here. */
import type { Clock } from '../../platform/clock/clock.ts';
import type { Database } from '../../platform/database/database.ts';
import type { ClusterFilter } from './decide/allowed-clusters.ts';
import type { DisabledRules } from './decide/disabled-rules.ts';
import type { RunTarget } from './run.ts';
import type { RunTally } from './run-summary.ts';
import type { NotificationServiceSettings } from './settings.ts';
import type { Events } from './telemetry.ts';
import type { TimeSource } from './time-source.ts';

export interface Run {
  readonly id: string;
  readonly settings: NotificationServiceSettings;
  readonly database: Database;
  readonly clock: Clock;
  readonly time: TimeSource;
  readonly events: Events;
  readonly tally: RunTally;
  readonly startedMicros: bigint;
  /** Of the newest report when the run began, by the clock of whoever stored it; not after `startedMicros`; 0 when there was none. */
  readonly newestStoredMicros: bigint;
  readonly targets: readonly RunTarget[];
  readonly clusters: ClusterFilter;
  /** As known now; read again when what is known has become old. */
  readonly disabledRules: () => Promise<DisabledRules>;
  /** Look only at reports stored after this and at what became due; absent: look at every cluster. */
  readonly sinceMicros: bigint | undefined;
  /** Of a cluster that has an owner only the owner's reports count; false: the newest of all organizations is the cluster's. */
  readonly ownersCount: boolean;
  /** Whether the writer keeps request ids beside its rows (the reference's does not). */
  readonly requestIdsKept: boolean;
  /** Aborted when the process is to stop: nothing new is begun. */
  readonly signal: AbortSignal;
}
