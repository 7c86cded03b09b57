/**
 * Containers of the monitoring operator that do not start, from its pods below `config/pod/openshift-monitoring/`. The operator of
 * insights gathers a pod only while something is wrong with it. Source: data-pipeline.md 7.4, 7.5 (36).
 */
import type { ArchiveView } from '../archive-view.ts';
import { listAt, nameAt, textAt } from '../json-access.ts';
import { namedResourcesIn } from './resources.ts';

interface WaitingContainer {
  readonly pod: string;
  readonly container: string;
  /** e.g. `CreateContainerConfigError`. */
  readonly reason: string;
  readonly message: string;
}

/** Absent when the archive holds no pod of it. In order of pod. */
export function readMonitoringOperator(archive: ArchiveView): readonly WaitingContainer[] | undefined {
  const directory = 'config/pod/openshift-monitoring';
  const prefix = 'cluster-monitoring-operator-';
  if (!archive.jsonFilesIn(directory).some((path) => path.startsWith(prefix, directory.length + 1))) return undefined;
  return namedResourcesIn(archive, directory, prefix).flatMap(({ name: pod, resource }) =>
    listAt(resource, 'status', 'containerStatuses').flatMap((status) => {
      const container = nameAt(status, 'name');
      const reason = nameAt(status, 'state', 'waiting', 'reason');
      if (container === undefined || reason === undefined) return [];
      return [{ pod, container, reason, message: textAt(status, 'state', 'waiting', 'message') ?? '' }];
    }),
  );
}
