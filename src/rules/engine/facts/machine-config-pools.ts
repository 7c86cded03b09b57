/** Machine config pools, from `config/machineconfigpools/`. The file name is not the truth: the pool's own name is. Source: data-pipeline.md 7.5. */
import type { ArchiveView } from '../archive-view.ts';
import { field } from '../json-access.ts';
import { type Condition, readCondition } from './conditions.ts';
import { namedResourcesIn } from './resources.ts';

interface MachineConfigPool {
  readonly name: string;
  readonly paused: boolean;
  readonly degraded: Condition;
  readonly updated: Condition;
  readonly updating: Condition;
}

/** Absent when the archive holds no readable pool. In order of name, one per name. */
export function readMachineConfigPools(archive: ArchiveView): readonly MachineConfigPool[] | undefined {
  const pools = new Map<string, MachineConfigPool>();
  for (const { name, resource } of namedResourcesIn(archive, 'config/machineconfigpools')) {
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
