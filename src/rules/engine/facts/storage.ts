/** The image registry's configuration and the persistent volumes that the operator collects. Source: data-pipeline.md 7.4, 7.5. */
import type { ArchiveView } from '../archive-view.ts';
import { nameAt, objectAt, textAt } from '../json-access.ts';
import { type Condition, namedResourcesIn, readCondition, resourceAt } from './resources.ts';

/** Members of `spec.storage` that name a place to store images. */
const REGISTRY_STORAGE_BACKENDS = ['azure', 'emptyDir', 'gcs', 'ibmcos', 'oss', 'pvc', 's3', 'swift'] as const;

export interface ImageRegistry {
  readonly name: string;
  /** Path of the resource below the API server; newer clusters no longer say it, and it never changed. */
  readonly selfLink: string;
  readonly managementState: string;
  /** Configured back ends, in order; normally one. */
  readonly backends: readonly string[];
  /** The claim's name when `pvc` is configured; the operator's default when it is left empty. */
  readonly claim: string | undefined;
  readonly available: Condition;
  readonly degraded: Condition;
  readonly storageExists: Condition;
}

const paths = [
  'config/clusteroperator/imageregistry.operator.openshift.io/config/cluster.json',
  'config/imageregistry.json',
];

export function readImageRegistry(archive: ArchiveView): ImageRegistry | undefined {
  const resource = paths
    .map((path) => resourceAt(archive, path))
    .find((found) => objectAt(found, 'spec') !== undefined);
  if (resource === undefined) return undefined;
  const storage = objectAt(resource, 'spec', 'storage');
  const backends = REGISTRY_STORAGE_BACKENDS.filter((backend) => objectAt(storage, backend) !== undefined);
  return {
    name: nameAt(resource, 'metadata', 'name') ?? 'cluster',
    selfLink:
      nameAt(resource, 'metadata', 'selfLink') ?? '/apis/imageregistry.operator.openshift.io/v1/configs/cluster',
    managementState: textAt(resource, 'spec', 'managementState') ?? '',
    backends,
    claim: backends.includes('pvc') ? (nameAt(storage, 'pvc', 'claim') ?? 'image-registry-storage') : undefined,
    available: readCondition(resource, 'Available'),
    degraded: readCondition(resource, 'Degraded'),
    storageExists: readCondition(resource, 'StorageExists'),
  };
}

interface PersistentVolume {
  readonly name: string;
  readonly phase: string;
  readonly claimNamespace: string;
  readonly claimName: string;
}

/** Absent when the archive holds none: the operator collects only volumes that the registry or monitoring use. */
export function readPersistentVolumes(archive: ArchiveView): readonly PersistentVolume[] | undefined {
  const volumes = namedResourcesIn(archive, 'config/persistentvolumes').map(({ name, resource }) => ({
    name,
    phase: textAt(resource, 'status', 'phase') ?? '',
    claimNamespace: textAt(resource, 'spec', 'claimRef', 'namespace') ?? '',
    claimName: textAt(resource, 'spec', 'claimRef', 'name') ?? '',
  }));
  return volumes.length === 0 ? undefined : volumes;
}
