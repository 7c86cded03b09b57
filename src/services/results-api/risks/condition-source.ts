/** Where alerts and operators of clusters are read: metrics where an address is named, else the newest archives where they can be reached. */
import type { ClusterConditions, ReadArchiveConditions } from '../../../contracts/cluster-conditions.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import { type MetricsSettings, openMetrics } from './metrics-conditions.ts';

/** The newest report of a cluster. */
interface NewestReport {
  readonly cluster: string;
  readonly requestId: string;
  /** When its archive was gathered, RFC 3339. */
  readonly gatheredAt: string;
}

interface CheckedConditions extends ClusterConditions {
  readonly consoleUrl: string;
  /** RFC 3339. */
  readonly checkedAt: string;
}

export interface ConditionSource {
  /** As answers name it. */
  readonly name: 'metrics' | 'archive';
  /** By cluster; those that nothing is known of are not in it. `reports`: asked for by an archive alone. */
  read(
    clusters: readonly string[],
    reports: () => Promise<readonly NewestReport[]>,
  ): Promise<ReadonlyMap<string, CheckedConditions>>;
}

/** Undefined where neither is there. Throws `CONFIG_INVALID`. */
export function openConditionSource(
  settings: MetricsSettings,
  { clock, archives }: { readonly clock: Clock; readonly archives: ReadArchiveConditions | undefined },
): ConditionSource | undefined {
  if (settings.url !== '') {
    const metrics = openMetrics(settings);
    return {
      name: 'metrics',
      async read(clusters) {
        const checkedAt = clock.now().toISOString();
        const found = await metrics.read(clusters);
        return new Map([...found].map(([cluster, conditions]) => [cluster, { ...conditions, checkedAt }]));
      },
    };
  }
  if (archives === undefined) return undefined;
  return {
    name: 'archive',
    async read(_clusters, reports) {
      const found = new Map<string, CheckedConditions>();
      for (const { cluster, requestId, gatheredAt } of await reports()) {
        const conditions = await archives(requestId);
        if (conditions !== undefined) found.set(cluster, { ...conditions, consoleUrl: '', checkedAt: gatheredAt });
      }
      return found;
    },
  };
}
