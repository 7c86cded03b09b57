/**
 * Whether an update of a cluster is advised against, by the alerts and operators that would make it fail. As the hosted service decides:
 * operators that fail count each, critical alerts of the platform from two on. Source: RedHatInsights/ccx-upgrades-inference.
 */
import type { ClusterConditions, FailingOperator, FiringAlert } from '../../../contracts/cluster-conditions.ts';

/** Of operators that are no part of the platform; updates do not wait for them. */
const namespacesBeside: ReadonlySet<string> = new Set(
  [
    ...['cnv', 'compliance', 'operators', 'storage', 'logging', 'gitops', 'pipelines', 'image-registry', 'marketplace'],
    ...['redhat-marketplace', 'distributed-tracing', 'gitlab-runner', 'devspaces', 'logs'],
  ].map((name) => `openshift-${name}`),
);

/** One alone is too often about something else. */
const alertsThatCount = 2;

interface UpgradeDecision {
  readonly isRecommended: boolean;
  /** What speaks against it, each once, by name. */
  readonly alerts: readonly FiringAlert[];
  readonly operators: readonly FailingOperator[];
}

export function decideUpgrade({ alerts, operators }: ClusterConditions): UpgradeDecision {
  const ofPlatform = once(alerts.filter(isOfPlatform), ({ name, namespace }) => `${name}\0${namespace}`);
  const counting = ofPlatform.length < alertsThatCount ? [] : ofPlatform;
  const failing = once(operators, ({ name, condition }) => `${name}\0${condition}`);
  return { isRecommended: counting.length + failing.length === 0, alerts: counting, operators: failing };
}

function isOfPlatform({ severity, namespace }: FiringAlert): boolean {
  return severity === 'critical' && namespace.startsWith('openshift-') && !namespacesBeside.has(namespace);
}

/** The first of each key, in order of keys. */
function once<T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] {
  const byKey = new Map(items.toReversed().map((item) => [keyOf(item), item]));
  return [...byKey.keys()].toSorted().map((key) => byKey.get(key)!);
}
