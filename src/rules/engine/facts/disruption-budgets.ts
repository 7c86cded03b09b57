/** Pod disruption budgets, from `config/pdbs/<namespace>/`. Source: data-pipeline.md 7.4, 7.5. */
import type { ArchiveView } from '../archive-view.ts';
import { type field, nameAt, numberAt } from '../json-access.ts';

export interface DisruptionBudget {
  readonly namespace: string;
  readonly name: string;
  /** What it demands, e.g. `minAvailable: 1` or `maxUnavailable: 0%`; empty when it does not say. */
  readonly demand: string;
  /** Of its status; undefined until it has one. */
  readonly disruptionsAllowed: number | undefined;
  readonly currentHealthy: number | undefined;
  readonly expectedPods: number | undefined;
}

/** Absent when the archive holds none. In order of their paths. */
export function readDisruptionBudgets(archive: ArchiveView): readonly DisruptionBudget[] | undefined {
  const budgets = archive.below('config/pdbs').flatMap((path): DisruptionBudget[] => {
    if (!path.endsWith('.json')) return [];
    const resource = archive.json(path);
    const name = nameAt(resource, 'metadata', 'name');
    if (name === undefined) {
      archive.reject(path);
      return [];
    }
    const count = (member: string) => numberAt(resource, 'status', member);
    return [
      {
        namespace: nameAt(resource, 'metadata', 'namespace') ?? '',
        name,
        demand: ['minAvailable', 'maxUnavailable'].flatMap((member) => demandOf(resource, member))[0] ?? '',
        disruptionsAllowed: count('disruptionsAllowed'),
        currentHealthy: count('currentHealthy'),
        expectedPods: count('expectedPods'),
      },
    ];
  });
  return budgets.length === 0 ? undefined : budgets;
}

/** A number of pods, or a share as text. */
function demandOf(resource: Parameters<typeof field>[0], member: string): string[] {
  const value = numberAt(resource, 'spec', member) ?? nameAt(resource, 'spec', member);
  return value === undefined ? [] : [`${member}: ${value}`];
}
