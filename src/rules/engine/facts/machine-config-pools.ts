/** Machine config pools, from `config/machineconfigpools/`. The file name is not the truth: the pool's own name is. Source: data-pipeline.md 7.5. */
import type { ArchiveView } from '../archive-view.ts';
import { field, nameAt } from '../json-access.ts';
import { type Condition, readCondition } from './conditions.ts';

export interface MachineConfigPool {
  readonly name: string;
  readonly paused: boolean;
  readonly degraded: Condition;
  readonly updated: Condition;
  readonly updating: Condition;
}

/** Absent when the archive holds no readable pool. In order of name, one per name. */
export function readMachineConfigPools(archive: ArchiveView): readonly MachineConfigPool[] | undefined {
  const pools = new Map<string, MachineConfigPool>();
  for (const path of archive.jsonFilesIn('config/machineconfigpools')) {
    const resource = archive.json(path);
    const name = nameAt(resource, 'metadata', 'name');
    if (name === undefined) continue;
    pools.set(name, {
      name,
      paused: field(resource, 'spec', 'paused') === true,
      degraded: readCondition(resource, 'Degraded'),
      updated: readCondition(resource, 'Updated'),
      updating: readCondition(resource, 'Updating'),
    });
  }
  return pools.size === 0 ? undefined : [...pools.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
