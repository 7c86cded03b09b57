/**
 * Ceph clusters of OpenShift Data Foundation, from `config/storage/<namespace>/cephclusters/`. The operator gathers the status alone, so that
 * the path tells which cluster it is; a file that holds the whole resource is read as well. Source: data-pipeline.md 7.4, 7.5.
 */
import { isJsonObject, type JsonObject } from '../../../encoding/json-text.ts';
import type { ArchiveView } from '../archive-view.ts';
import { nameAt, objectAt, textAt } from '../json-access.ts';

interface CephCheck {
  /** Ceph's name of what is wrong, e.g. `OSD_DOWN`. */
  readonly name: string;
  readonly severity: string;
  readonly message: string;
}

interface CephCluster {
  readonly namespace: string;
  readonly name: string;
  /** `HEALTH_OK`, `HEALTH_WARN`, `HEALTH_ERR`; empty until Ceph has told. */
  readonly health: string;
  /** Why it is not well, in order of name. */
  readonly checks: readonly CephCheck[];
}

const path = /^config\/storage\/([^/]{1,253})\/cephclusters\/([^/]{1,253})\.json$/;

/** Absent when the archive holds none. In order of their paths. */
export function readCephClusters(archive: ArchiveView): readonly CephCluster[] | undefined {
  const clusters = archive.below('config/storage').flatMap((file): CephCluster[] => {
    const [, namespace, name] = path.exec(file) ?? [];
    if (namespace === undefined || name === undefined) return [];
    const document = archive.json(file);
    if (!isJsonObject(document)) {
      archive.reject(file);
      return [];
    }
    const ceph = objectAt(document, 'status', 'ceph') ?? objectAt(document, 'ceph');
    return [
      { namespace, name, health: nameAt(ceph, 'health') ?? '', checks: checksOf(objectAt(ceph, 'details') ?? {}) },
    ];
  });
  return clusters.length === 0 ? undefined : clusters;
}

function checksOf(details: JsonObject): CephCheck[] {
  return Object.keys(details)
    .sort()
    .flatMap((name) => {
      const message = textAt(details, name, 'message');
      return message === undefined ? [] : [{ name, severity: nameAt(details, name, 'severity') ?? '', message }];
    });
}
