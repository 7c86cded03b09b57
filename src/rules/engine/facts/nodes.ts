/** Nodes, from `config/node/`, and what configures and makes them: pools, runtime configurations, machine sets. Source: data-pipeline.md 7.4, 7.5. */
import type { JsonObject, JsonValue } from '../../../encoding/json-text.ts';
import type { ArchiveView } from '../archive-view.ts';
import { field, listAt, nameAt, numberAt, objectAt, textAt } from '../json-access.ts';
import { type Condition, namedResourcesIn, readCondition } from './resources.ts';

/** A quantity is a number and a unit; more is none, and is not looked at. */
const quantityCharactersMax = 64;

export interface Node {
  readonly name: string;
  /** From the `node-role.kubernetes.io/` labels; `control-plane` is given as `master`. In order, without repeats. */
  readonly roles: readonly string[];
  /** Cores; undefined when not reported. */
  readonly cpuCores: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly ready: Condition;
  /** Shortages that the kubelet tells of: what is short, and what it says. In the order of `pressureTypes`. */
  readonly pressures: readonly { readonly type: string; readonly condition: Condition }[];
  readonly kubeletVersion: string;
  readonly containerRuntimeVersion: string;
  readonly unschedulable: boolean;
  readonly taints: readonly Taint[];
  readonly labels: JsonObject;
  /** Rendered machine configurations that the node has and is to have; empty where the machine config daemon has said nothing. */
  readonly currentConfig: string;
  readonly desiredConfig: string;
  /** Whether a Machine object stands behind it. */
  readonly hasMachine: boolean;
}

interface Taint {
  readonly key: string;
  readonly value: string;
  /** `NoSchedule`, `PreferNoSchedule`, `NoExecute`. */
  readonly effect: string;
}

const pressureTypes = ['DiskPressure', 'MemoryPressure', 'PIDPressure'] as const;

const roleLabelPrefix = 'node-role.kubernetes.io/';
const configAnnotationPrefix = 'machineconfiguration.openshift.io/';

/** Absent when the archive holds no readable node. In order of name. */
export function readNodes(archive: ArchiveView): readonly Node[] | undefined {
  const nodes: Node[] = [];
  for (const { name, resource } of namedResourcesIn(archive, 'config/node')) {
    nodes.push({
      name,
      roles: rolesOf(Object.keys(objectAt(resource, 'metadata', 'labels') ?? {})),
      cpuCores: quantityOf(textAt(resource, 'status', 'capacity', 'cpu')),
      memoryBytes: quantityOf(textAt(resource, 'status', 'capacity', 'memory')),
      ready: readCondition(resource, 'Ready'),
      pressures: pressureTypes
        .map((type) => ({ type, condition: readCondition(resource, type) }))
        .filter(({ condition }) => condition.status === true),
      kubeletVersion: textAt(resource, 'status', 'nodeInfo', 'kubeletVersion') ?? '',
      containerRuntimeVersion: textAt(resource, 'status', 'nodeInfo', 'containerRuntimeVersion') ?? '',
      unschedulable: field(resource, 'spec', 'unschedulable') === true,
      taints: listAt(resource, 'spec', 'taints').flatMap(readTaint),
      labels: objectAt(resource, 'metadata', 'labels') ?? {},
      currentConfig: nameAt(resource, 'metadata', 'annotations', `${configAnnotationPrefix}currentConfig`) ?? '',
      desiredConfig: nameAt(resource, 'metadata', 'annotations', `${configAnnotationPrefix}desiredConfig`) ?? '',
      hasMachine: nameAt(resource, 'metadata', 'annotations', 'machine.openshift.io/machine') !== undefined,
    });
  }
  return nodes.length === 0 ? undefined : nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readTaint(taint: JsonValue): Taint[] {
  const key = nameAt(taint, 'key');
  if (key === undefined) return [];
  return [{ key, value: nameAt(taint, 'value') ?? '', effect: nameAt(taint, 'effect') ?? '' }];
}

/** From `config/machineconfigpools/`. The file name is not the truth: the pool's own name is. */
interface MachineConfigPool {
  readonly name: string;
  readonly labels: JsonObject;
  readonly paused: boolean;
  /** Labels that a node of the pool has, each with its value; empty where it chooses its nodes by expressions. */
  readonly nodeLabels: readonly (readonly [label: string, value: string])[];
  /** Nodes of the pool, and those of them that have its newest configuration and take work; 0 when not reported. */
  readonly machineCount: number;
  readonly readyMachineCount: number;
  readonly degraded: Condition;
  readonly nodeDegraded: Condition;
  readonly renderDegraded: Condition;
  readonly updated: Condition;
  readonly updating: Condition;
}

/** Absent when the archive holds no readable pool. In order of name, one per name. */
export function readMachineConfigPools(archive: ArchiveView): readonly MachineConfigPool[] | undefined {
  const pools = new Map<string, MachineConfigPool>();
  for (const { name, resource } of namedResourcesIn(archive, 'config/machineconfigpools')) {
    pools.set(name, {
      name,
      labels: objectAt(resource, 'metadata', 'labels') ?? {},
      paused: field(resource, 'spec', 'paused') === true,
      nodeLabels: Object.entries(objectAt(resource, 'spec', 'nodeSelector', 'matchLabels') ?? {}).flatMap(
        ([label, value]): [string, string][] => (typeof value === 'string' ? [[label, value]] : []),
      ),
      machineCount: numberAt(resource, 'status', 'machineCount') ?? 0,
      readyMachineCount: numberAt(resource, 'status', 'readyMachineCount') ?? 0,
      degraded: readCondition(resource, 'Degraded'),
      nodeDegraded: readCondition(resource, 'NodeDegraded'),
      renderDegraded: readCondition(resource, 'RenderDegraded'),
      updated: readCondition(resource, 'Updated'),
      updating: readCondition(resource, 'Updating'),
    });
  }
  return pools.size === 0 ? undefined : [...pools.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface ContainerRuntimeConfig {
  readonly name: string;
  /** Bytes that containers may write to the node's root partition; undefined where no limit is set. */
  readonly overlayBytes: number | undefined;
  /** Label selector of the pools that it is for. */
  readonly poolSelector: JsonObject;
}

/** From `config/containerruntimeconfigs/`, in order of their files. Absent when there is none. */
export function readContainerRuntimeConfigs(archive: ArchiveView): readonly ContainerRuntimeConfig[] | undefined {
  const configs = namedResourcesIn(archive, 'config/containerruntimeconfigs').map(({ name, resource }) => {
    const config = objectAt(resource, 'spec', 'containerRuntimeConfig');
    const bytes = numberAt(config, 'overlaySize') ?? quantityOf(textAt(config, 'overlaySize'));
    return {
      name,
      overlayBytes: bytes !== undefined && bytes > 0 ? bytes : undefined,
      poolSelector: objectAt(resource, 'spec', 'machineConfigPoolSelector') ?? {},
    };
  });
  return configs.length === 0 ? undefined : configs;
}

interface MachineSet {
  readonly name: string;
  /** `cluster-api-machine-role` of the machines that it makes, or their type: `master`, `worker`, `infra`; empty when it says neither. */
  readonly role: string;
}

const machineLabels = [
  'machine.openshift.io/cluster-api-machine-role',
  'machine.openshift.io/cluster-api-machine-type',
];

/** From `machinesets/<namespace>/`, in order of their files. Absent when there is none. */
export function readMachineSets(archive: ArchiveView): readonly MachineSet[] | undefined {
  const folders = new Set(archive.below('machinesets').map((path) => path.split('/').slice(0, -1).join('/')));
  const sets = [...folders]
    .flatMap((folder) => namedResourcesIn(archive, folder))
    .map(({ name, resource }) => {
      const labels = objectAt(resource, 'spec', 'template', 'metadata', 'labels');
      return {
        name,
        role: machineLabels.map((label) => textAt(labels, label) ?? '').find((role) => role !== '') ?? '',
      };
    });
  return sets.length === 0 ? undefined : sets;
}

function rolesOf(labels: readonly string[]): string[] {
  const roles = labels
    .filter((label) => label.startsWith(roleLabelPrefix) && label.length > roleLabelPrefix.length)
    .map((label) => label.slice(roleLabelPrefix.length))
    .map((role) => (role === 'control-plane' ? 'master' : role));
  return [...new Set(roles)].sort();
}

function quantityOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseQuantity(text);
}

const factors: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** Kubernetes resource quantities (`7500m`, `16409932Ki`, `2e9`) as numbers of their base unit: cores, bytes. Undefined for any other text. */
export function parseQuantity(text: string): number | undefined {
  if (text.length > quantityCharactersMax) return undefined;
  const match = /^([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(?:[eE]([+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i)?)$/.exec(text);
  if (match === null) return undefined;
  const value = Number(match[1]) * (match[2] === undefined ? factors[match[3] ?? '']! : 10 ** Number(match[2]));
  return Number.isFinite(value) ? value : undefined;
}
