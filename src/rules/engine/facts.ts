/**
 * What rules know about a cluster. All facts of an archive are read before the first rule, so that what reading costs is never blamed on a
 * rule. Over a missing or broken file a fact is absent, and a rule that requires it is skipped. Adding a fact: write its reader in `facts/`
 * and name it in the table below.
 */
import type { ArchiveView } from './archive-view.ts';
import { readAlerts } from './facts/alerts.ts';
import { readCephClusters } from './facts/ceph.ts';
import { readIngressCertificates } from './facts/certificates.ts';
import { readClusterRoles } from './facts/cluster-roles.ts';
import { readClusterVersion, readVersionStatus } from './facts/cluster-version.ts';
import { readCrashingPods } from './facts/crashing-pods.ts';
import { readBlockingBudgets } from './facts/disruption-budgets.ts';
import { readHostSubnets, readNetNamespaces } from './facts/egress.ts';
import { readInsightsConfig } from './facts/insights-config.ts';
import { readInstallPlans } from './facts/install-plans.ts';
import { readMachineConfigs } from './facts/machine-configs.ts';
import { readEtcdSlowApplies, readRouterServers } from './facts/metrics.ts';
import { readMonitoringOperator } from './facts/monitoring-operator.ts';
import { readContainerRuntimeConfigs, readMachineConfigPools, readMachineSets, readNodes } from './facts/nodes.ts';
import { readClusterOperators, readUnmanagedResources } from './facts/operators.ts';
import { readInfrastructure, readNetwork, readProxy } from './facts/platform.ts';
import { readPodSecurityPolicies } from './facts/pod-security-policies.ts';
import { readPrometheusComplaints, readPrometheusStorage } from './facts/prometheus.ts';
import { readSapDataHubs, readSapGrants, readSapPods } from './facts/sap.ts';
import { readImageRegistry, readPersistentVolumes } from './facts/storage.ts';
import { readVsphereDetector, readVsphereMachines } from './facts/vsphere.ts';
import { readSlowWebhooks } from './facts/webhooks.ts';

/** In the order in which they are read: what an archive may cost is used up by the facts that need most, last. */
const readers = {
  clusterVersion: readClusterVersion,
  versionStatus: readVersionStatus,
  infrastructure: readInfrastructure,
  network: readNetwork,
  proxy: readProxy,
  imageRegistry: readImageRegistry,
  ingressCertificates: readIngressCertificates,
  containerRuntimeConfigs: readContainerRuntimeConfigs,
  machineConfigPools: readMachineConfigPools,
  machineSets: readMachineSets,
  clusterOperators: readClusterOperators,
  nodes: readNodes,
  installPlans: readInstallPlans,
  podSecurityPolicies: readPodSecurityPolicies,
  machineConfigs: readMachineConfigs,
  sapDataHubs: readSapDataHubs,
  sapGrants: readSapGrants,
  sapPods: readSapPods,
  prometheusComplaints: readPrometheusComplaints,
  prometheusStorage: readPrometheusStorage,
  vsphereDetector: readVsphereDetector,
  vsphereMachines: readVsphereMachines,
  persistentVolumes: readPersistentVolumes,
  slowWebhooks: readSlowWebhooks,
  unmanagedResources: readUnmanagedResources,
  alerts: readAlerts,
  crashingPods: readCrashingPods,
  routerServers: readRouterServers,
  etcdSlowApplies: readEtcdSlowApplies,
  netNamespaces: readNetNamespaces,
  hostSubnets: readHostSubnets,
  blockingBudgets: readBlockingBudgets,
  cephClusters: readCephClusters,
  clusterRoles: readClusterRoles,
  insightsConfig: readInsightsConfig,
  monitoringOperator: readMonitoringOperator,
} as const;

export type FactName = keyof typeof readers;
type FactValues = { readonly [Name in FactName]: NonNullable<ReturnType<(typeof readers)[Name]>> };
/** Every fact, each possibly absent. */
export type Facts = { readonly [Name in FactName]?: FactValues[Name] };
/** What a rule that requires `Required` receives: those are there, the others may be. */
export type FactsWith<Required extends FactName> = Facts & Pick<FactValues, Required>;

export const FACT_NAMES: readonly FactName[] = Object.keys(readers) as FactName[];

/** What is known of one fact besides its value. */
interface FactState {
  readonly value: unknown;
  /** Files that it is read from and that are broken, or the reason why it was not read at all: it may be there in part only. */
  readonly broken: readonly string[];
  /** Its reader threw, which is a bug. */
  readonly failed: boolean;
}

/** Reads every fact of an archive; a reader that throws makes its fact absent and never fails the archive. */
export function readFacts(
  archive: ArchiveView,
  options: {
    /** Called before a fact is read. */
    readonly beforeFact: (fact: FactName) => void;
    /** Facts whose reading took a runner down: not read again. */
    readonly leaveOut: ReadonlySet<string>;
  },
  onFailure: (fact: FactName, cause: unknown) => void,
): FactSheet {
  const states = new Map<FactName, FactState>();
  for (const name of FACT_NAMES) {
    if (options.leaveOut.has(name)) {
      states.set(name, { value: undefined, broken: ['(too costly to read)'], failed: false });
      continue;
    }
    options.beforeFact(name);
    const broken = new Set<string>();
    try {
      const value: unknown = readers[name](noticingBroken(archive, (path) => broken.add(path)));
      states.set(name, { value, broken: [...broken], failed: false });
    } catch (cause) {
      onFailure(name, cause);
      states.set(name, { value: undefined, broken: [...broken], failed: true });
    }
  }
  return new FactSheet(states);
}

/** The facts of one archive as rules see them, and which of them a rule has looked at. */
export class FactSheet {
  readonly facts: Facts = {};
  readonly #states: ReadonlyMap<FactName, FactState>;
  readonly #lookedAt = new Set<FactName>();

  constructor(states: ReadonlyMap<FactName, FactState>) {
    this.#states = states;
    for (const name of FACT_NAMES) {
      Object.defineProperty(this.facts, name, {
        enumerable: true,
        get: () => {
          this.#lookedAt.add(name);
          return states.get(name)?.value;
        },
      });
    }
  }

  state(name: FactName): FactState {
    return this.#states.get(name) ?? { value: undefined, broken: [], failed: false };
  }

  /** The facts that were looked at since it was last asked; a rule may look at more than it requires. */
  takeLookedAt(): readonly FactName[] {
    const names = [...this.#lookedAt];
    this.#lookedAt.clear();
    return names;
  }
}

/** The same archive, telling of every file that is there and cannot be used. */
function noticingBroken(archive: ArchiveView, onBroken: (path: string) => void): ArchiveView {
  return {
    ...archive,
    json(path) {
      const value = archive.json(path);
      if (value === undefined && archive.has(path)) onBroken(path);
      return value;
    },
    reject(path) {
      archive.reject(path);
      if (archive.has(path)) onBroken(path);
    },
  };
}
