/**
 * What speaks against an update of a cluster: its firing alerts and failing operators, wherever they were read.
 * Produced by: results API (metrics), all-in-one process (archives) → consumed by: results API.
 */

export interface FiringAlert {
  readonly name: string;
  /** Empty for one that is about no namespace. */
  readonly namespace: string;
  /** `critical`, `warning`, `info`, `none`. */
  readonly severity: string;
}

export interface FailingOperator {
  /** Of the cluster operator. */
  readonly name: string;
  readonly condition: 'Not Available' | 'Degraded';
  readonly reason: string;
}

export interface ClusterConditions {
  readonly alerts: readonly FiringAlert[];
  readonly operators: readonly FailingOperator[];
}

/** Of the archive that came under a request id; undefined where it is not there any more, or tells neither of alerts nor of operators. */
export type ReadArchiveConditions = (requestId: string) => Promise<ClusterConditions | undefined>;
