/** What kind of archive this is. Used by the data pipeline before and after the rules run. */
import type { ArchiveView } from './archive-view.ts';
import { readInfrastructure } from './facts/platform.ts';

/** Label `archive` of the pipeline's metrics. */
export type ArchiveKind = 'ocp' | 'hypershift';

const markers = ['config/version.json', 'config/id', 'config/featuregate.json', 'insights-operator/gathers.json'];

/**
 * Whether the archive comes from an Insights Operator; anything else is refused with `Cannot detect execution context`.
 * Source: data-pipeline.md 4.1. A common parent directory is already stripped where the archive is opened.
 */
export function isOperatorArchive(files: ReadonlyMap<string, Buffer>): boolean {
  return markers.some((path) => files.has(path));
}

/**
 * `hypershift` when the control plane runs outside the cluster. The reference says so of every archive that holds
 * `config/infrastructure.json`, which today is all of them. Source: data-pipeline.md 6.1.
 */
export function archiveKindOf(archive: ArchiveView): ArchiveKind {
  return readInfrastructure(archive)?.controlPlaneTopology === 'External' ? 'hypershift' : 'ocp';
}
