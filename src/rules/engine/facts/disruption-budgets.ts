/**
 * Pod disruption budgets that allow no disruption, from `config/pdbs/<namespace>/`; the others are not parsed. Source: data-pipeline.md 7.4,
 * 7.5.
 */
import type { ArchiveView } from '../archive-view.ts';
import { type field, nameAt, numberAt } from '../json-access.ts';
import { looksWhole } from './resources.ts';

export interface DisruptionBudget {
  readonly namespace: string;
  readonly name: string;
  /** What it demands, e.g. `minAvailable: 1` or `maxUnavailable: 0%`; empty when it does not say. */
  readonly demand: string;
  /** Of its status; undefined until it has one. */
  readonly currentHealthy: number | undefined;
  readonly expectedPods: number | undefined;
}

/** Absent when the archive holds no budget at all. In order of their paths. */
export function readBlockingBudgets(archive: ArchiveView): readonly DisruptionBudget[] | undefined {
  let seen = false;
  const blocking = archive.below('config/pdbs').flatMap((path): DisruptionBudget[] => {
    if (!path.endsWith('.json')) return [];
    const bytes = archive.bytes(path)!;
    if (!allowsNone.some((text) => bytes.includes(text)) && looksWhole(bytes)) {
      seen = true;
      return [];
    }
    const resource = archive.json(path);
    const name = nameAt(resource, 'metadata', 'name');
    if (name === undefined) {
      archive.reject(path);
      return [];
    }
    seen = true;
    const count = (member: string) => numberAt(resource, 'status', member);
    if (count('disruptionsAllowed') !== 0) return [];
    return [
      {
        namespace: nameAt(resource, 'metadata', 'namespace') ?? '',
        name,
        demand: ['minAvailable', 'maxUnavailable'].flatMap((member) => demandOf(resource, member))[0] ?? '',
        currentHealthy: count('currentHealthy'),
        expectedPods: count('expectedPods'),
      },
    ];
  });
  return seen ? blocking : undefined;
}

/** As JSON of Go writes it, indented or not. */
const allowsNone = ['"disruptionsAllowed":0', '"disruptionsAllowed": 0'];

/** A number of pods, or a share as text. */
function demandOf(resource: Parameters<typeof field>[0], member: string): string[] {
  const value = numberAt(resource, 'spec', member) ?? nameAt(resource, 'spec', member);
  return value === undefined ? [] : [`${member}: ${value}`];
}
