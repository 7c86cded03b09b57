/** The cluster's version, from `config/version.json`. Source: data-pipeline.md 7.4. */
import type { ArchiveView } from '../archive-view.ts';
import { field, listAt, nameAt, textAt } from '../json-access.ts';
import { parseVersion, type SemanticVersion } from '../semantic-version.ts';
import { type Condition, readCondition, resourceAt } from './resources.ts';

interface ComponentOverride {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly unmanaged: boolean;
}

interface ClusterVersion {
  /** The newest version that was installed completely, e.g. `4.17.3`. */
  readonly current: string;
  readonly parsed: SemanticVersion;
  /** When the installation of it, or the update to it, began; RFC 3339, empty when it does not say. */
  readonly currentStarted: string;
  /** First two numbers of `current`, e.g. `4.17`. */
  readonly branch: string;
  /** What the cluster is moving to; equal to `current` when it is at rest. */
  readonly desired: string;
  readonly channel: string;
  /** True for the community distribution, whose life cycle is not the product's. */
  readonly isOkd: boolean;
  readonly overrides: readonly ComponentOverride[];
}

/** Absent while no installation has completed: rules about a version must not guess one. */
export function readClusterVersion(archive: ArchiveView): ClusterVersion | undefined {
  const document = resourceAt(archive, 'config/version.json');
  // The history is ordered newest first.
  const completed = listAt(document, 'status', 'history').find((entry) => textAt(entry, 'state') === 'Completed');
  const current = textAt(completed, 'version');
  const parsed = current === undefined ? undefined : parseVersion(current);
  if (current === undefined || parsed === undefined) return undefined;
  return {
    current,
    parsed,
    currentStarted: nameAt(completed, 'startedTime') ?? '',
    branch: `${parsed.major}.${parsed.minor}`,
    desired: textAt(document, 'status', 'desired', 'version') ?? current,
    channel: textAt(document, 'spec', 'channel') ?? '',
    isOkd: /okd|scos/i.test(current),
    overrides: listAt(document, 'spec', 'overrides').flatMap((override) => {
      const name = nameAt(override, 'name');
      if (name === undefined) return [];
      return [
        {
          kind: textAt(override, 'kind') ?? '',
          namespace: textAt(override, 'namespace') ?? '',
          name,
          unmanaged: field(override, 'unmanaged') === true,
        },
      ];
    }),
  };
}

interface VersionStatus {
  /** The newest version that was installed completely; null during the first installation. */
  readonly current: string | null;
  readonly desired: string;
  readonly available: Condition;
  readonly progressing: Condition;
  readonly failing: Condition;
  readonly historyCount: number;
  /** When the version was begun that is not installed completely; null where there is none. */
  readonly updateStarted: string | null;
}

/** What the version operator says of itself, from the first installation on. Absent where it says nothing. */
export function readVersionStatus(archive: ArchiveView): VersionStatus | undefined {
  const document = resourceAt(archive, 'config/version.json');
  if (listAt(document, 'status', 'conditions').length === 0) return undefined;
  const history = listAt(document, 'status', 'history');
  const completed = history.find((entry) => textAt(entry, 'state') === 'Completed');
  const current = nameAt(completed, 'version') ?? null;
  return {
    current,
    desired: nameAt(document, 'status', 'desired', 'version') ?? current ?? 'an unknown version',
    available: readCondition(document, 'Available'),
    progressing: readCondition(document, 'Progressing'),
    failing: readCondition(document, 'Failing'),
    historyCount: history.length,
    updateStarted: textAt(history[0], 'state') === 'Partial' ? (nameAt(history[0], 'startedTime') ?? null) : null,
  };
}
