/** Which clusters are looked at at all. Source: notification-service.md 4.1. */

export interface ClusterFilter {
  /** On: only `allowed` counts, and the block list is not consulted. */
  readonly allowOnly: boolean;
  readonly allowed: ReadonlySet<string>;
  readonly block: boolean;
  readonly blocked: ReadonlySet<string>;
}

export function isClusterAllowed(filter: ClusterFilter, cluster: string): boolean {
  if (filter.allowOnly) return filter.allowed.has(cluster);
  return !(filter.block && filter.blocked.has(cluster));
}
