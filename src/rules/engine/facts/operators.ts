/** Cluster operators and the custom resources that configure them, from `config/clusteroperator/`. Source: data-pipeline.md 7.4. */
import { isJsonObject } from '../../../encoding/json-text.ts';
import type { ArchiveView } from '../archive-view.ts';
import { field, listAt, nameAt, textAt } from '../json-access.ts';
import { type Condition, looksWhole, namedResourcesIn, readCondition } from './resources.ts';

/** The "operator object" of rule details. */
export type ClusterOperator = {
  readonly name: string;
  readonly version: string;
  readonly available: Condition;
  readonly degraded: Condition;
  readonly progressing: Condition;
  readonly upgradeable: Condition;
};

/** Absent when the archive holds no readable cluster operator. In order of name. */
export function readClusterOperators(archive: ArchiveView): readonly ClusterOperator[] | undefined {
  const operators: ClusterOperator[] = [];
  for (const { name, resource } of namedResourcesIn(archive, 'config/clusteroperator')) {
    if (!Array.isArray(field(resource, 'status', 'conditions'))) continue;
    const versions = listAt(resource, 'status', 'versions');
    const version = versions.find((entry) => textAt(entry, 'name') === 'operator');
    operators.push({
      name,
      version: nameAt(version, 'version') ?? '',
      available: readCondition(resource, 'Available'),
      degraded: readCondition(resource, 'Degraded'),
      progressing: readCondition(resource, 'Progressing'),
      upgradeable: readCondition(resource, 'Upgradeable'),
    });
  }
  return operators.length === 0 ? undefined : operators.sort((a, b) => (a.name < b.name ? -1 : 1));
}

export interface UnmanagedResource {
  /** API group, e.g. `operator.openshift.io`. */
  readonly group: string;
  /** Lower-case kind; taken from the path, since the files often lack `kind`. */
  readonly kind: string;
}

/**
 * Of the resources at `config/clusteroperator/<group>/<kind>[/<namespace>]/<name>.json` those that are set to `Unmanaged`. Absent when the
 * archive holds no such resource.
 */
export function readUnmanagedResources(archive: ArchiveView): readonly UnmanagedResource[] | undefined {
  const root = 'config/clusteroperator';
  const unmanaged: UnmanagedResource[] = [];
  let seen = false;
  for (const path of archive.below(root)) {
    const [group, kind, name] = path.slice(root.length + 1).split('/');
    if (!path.endsWith('.json') || group === undefined || kind === undefined || name === undefined) continue;
    const bytes = archive.bytes(path)!;
    if (!bytes.includes('"Unmanaged"') && looksWhole(bytes, 'spec')) {
      seen = true;
      continue;
    }
    const resource = archive.json(path);
    if (!isJsonObject(resource)) archive.reject(path);
    if (field(resource, 'spec') === undefined) continue;
    seen = true;
    if (textAt(resource, 'spec', 'managementState') === 'Unmanaged') unmanaged.push({ group, kind });
  }
  return seen ? unmanaged : undefined;
}
