/** What kind of cluster an archive comes from; that it comes from one at all is checked where it is opened. */
import type { Facts } from './facts.ts';

/** Label `archive` of the pipeline's metrics. */
export type ArchiveKind = 'ocp' | 'hypershift';

/**
 * `hypershift` when the control plane runs outside the cluster. The reference says so of every archive that holds
 * `config/infrastructure.json`, which today is all of them. Source: data-pipeline.md 6.1.
 */
export function archiveKindOf(facts: Facts): ArchiveKind {
  return facts.infrastructure?.controlPlaneTopology === 'External' ? 'hypershift' : 'ocp';
}
