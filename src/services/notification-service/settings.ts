/** The service's settings as types: what `config.ts` makes of an option table and what the all-in-one process passes in. */

import type { TargetName } from '../../contracts/tables.ts';
import type { ClusterFilter } from './decide/disabled-rules.ts';

export interface TargetPolicySettings {
  /** Section of the configuration that these came from, for the hints of errors. */
  readonly section: string;
  /** PostgreSQL interval text; blank, or with a first word `0`: no cooldown. Source: notification-service.md 8.2. */
  readonly cooldown: string;
  /** `none`: as in the reference it is no cooldown. */
  readonly negativeCooldown: 'none' | 'refused';
  /** Source: notification-service.md 7.1. Empty: the total risk against its threshold. */
  readonly eventFilter: string;
  readonly likelihoodThreshold: number;
  readonly impactThreshold: number;
  readonly severityThreshold: number;
  readonly totalRiskThreshold: number;
  readonly tagFilterEnabled: boolean;
  readonly tags: readonly string[];
}

export interface DeliverySettings {
  /** Attempts in flight per target. */
  readonly concurrency: number;
  /** Messages claimed together. */
  readonly claimMax: number;
  /** One-shot: how long one message is tried before it is left to the next run. */
  readonly deadlineMs: number;
  /** One-shot: nothing is claimed any more when the delivery has taken this long. */
  readonly runDeadlineMs: number;
  /** How long a claim lasts when its process dies. */
  readonly leaseMs: number;
  /** A message that certainly did not arrive is given up this long after it became due. */
  readonly retryWindowMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
}

export interface MetricsSettings {
  readonly namespace: string;
  readonly subsystem: string;
  /** Absent: nothing is pushed. */
  readonly push?: {
    readonly gatewayUrl: string;
    readonly jobName: string;
    readonly authToken: string;
    readonly retries: number;
    readonly retryAfterMs: number;
    readonly everyMs: number;
  };
}

export interface NotificationServiceSettings {
  /** `once`: one run, one row of `reported` per cluster and target. `follow`: runs as reports arrive, rows for new reports only. */
  readonly mode: 'once' | 'follow';
  /** `database`: decisions and leases follow the server's clock, so that processes agree. `clock`: the process's own, for tests. */
  readonly timeSource: 'database' | 'clock';
  readonly policies: Readonly<Record<TargetName, TargetPolicySettings>>;
  readonly clusters: ClusterFilter;
  /** Whose report of a cluster counts: its owner's where `ccx.cluster_owners` names one, or whoever's is newest, as in the reference. */
  readonly reportsOf: 'owner' | 'anybody';
  readonly contentRefreshMs: number;
  readonly disabledRulesRefreshMs: number;
  readonly follow: { readonly pollMs: number; readonly minGapMs: number; readonly fullSweepMs: number };
  readonly delivery: DeliverySettings;
  /** A first run makes at most so many messages due at once per target, and as many again after each interval. */
  readonly firstRun: { readonly messagesMax: number; readonly everyMs: number };
  readonly metrics: MetricsSettings;
  readonly retention: {
    /** Finished messages. */
    readonly outboxMs: number;
    /** Resolved issues, by when they were last seen; what was considered, by when it was decided. */
    readonly ledgerMs: number;
    /** PostgreSQL interval: older rows of `new_reports` and `reported` are deleted; empty leaves them to others. */
    readonly reportsMaxAge: string;
    readonly everyMs: number;
  };
}
