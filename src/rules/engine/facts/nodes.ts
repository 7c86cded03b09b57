/** Nodes, from `config/node/`. Source: data-pipeline.md 7.4. */
import type { ArchiveView } from '../archive-view.ts';
import { field, listAt, objectAt, textAt } from '../json-access.ts';
import { parseQuantity } from '../quantity.ts';
import { type Condition, readCondition } from './conditions.ts';
import { namedResourcesIn } from './resources.ts';

export interface Node {
  readonly name: string;
  /** From the `node-role.kubernetes.io/` labels; `control-plane` is told as `master`. In order, without repeats. */
  readonly roles: readonly string[];
  /** Cores; undefined when not reported. */
  readonly cpuCores: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly ready: Condition;
  readonly kubeletVersion: string;
  readonly containerRuntimeVersion: string;
  readonly unschedulable: boolean;
  readonly taints: readonly string[];
}

const roleLabelPrefix = 'node-role.kubernetes.io/';

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
      kubeletVersion: textAt(resource, 'status', 'nodeInfo', 'kubeletVersion') ?? '',
      containerRuntimeVersion: textAt(resource, 'status', 'nodeInfo', 'containerRuntimeVersion') ?? '',
      unschedulable: field(resource, 'spec', 'unschedulable') === true,
      taints: listAt(resource, 'spec', 'taints').flatMap((taint) => textAt(taint, 'key') ?? []),
    });
  }
  return nodes.length === 0 ? undefined : nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
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
