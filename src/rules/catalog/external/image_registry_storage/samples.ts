/** Clusters whose image registry has storage, has none, or has storage that does not last. */
import type { JsonObject } from '../../../../encoding/json-text.ts';
import { chain, type Edit, type RuleSamples, withCondition, withFile, withoutFiles, withValue } from '../../sample.ts';
import { imageRegistryStorage } from './rule.ts';

const registry = 'config/clusteroperator/imageregistry.operator.openshift.io/config/cluster.json';
const since = '2026-11-01T08:00:00Z';
const storage = (value: JsonObject): Edit => withValue(registry, ['spec', 'storage'], value);
const platform = (value: string): Edit =>
  withValue('config/infrastructure.json', ['status', 'platformStatus', 'type'], value);
const unavailable = withCondition(registry, {
  type: 'Available',
  status: 'False',
  lastTransitionTime: since,
  reason: 'NoReplicasAvailable',
  message: 'The deployment does not have available replicas',
});
const noStorage = withCondition(registry, {
  type: 'StorageExists',
  status: 'False',
  lastTransitionTime: since,
  reason: 'StorageNotConfigured',
  message: 'Storage is not configured',
});
const volume = (namespace: string, name: string): Edit =>
  withFile('config/persistentvolumes/pvc-1.json', {
    metadata: { name: 'pvc-1' },
    spec: { claimRef: { namespace, name } },
    status: { phase: 'Bound' },
  });
const claim = storage({ pvc: { claim: 'registry-images' }, managementState: 'Unmanaged' });

export const samples: RuleSamples = {
  rule: imageRegistryStorage,
  fires: {
    IMAGE_REGISTRY_STORAGE_NOT_CONFIGURED: [
      {
        title: 'a registry without any storage',
        edit: chain(storage({}), noStorage),
        details: {
          info: {
            meta: { name: 'cluster' },
            storage: [],
            condition: {
              type: 'StorageExists',
              reason: 'StorageNotConfigured',
              message: 'Storage is not configured',
              lastTransitionTime: since,
            },
          },
        },
      },
      { title: 'a registry that only says who manages its storage', edit: storage({ managementState: 'Managed' }) },
      { title: 'storage that is configured and does not exist', edit: noStorage },
    ],
    IMAGE_REGISTRY_EMPTYDIR: [
      { title: 'storage that ends with the pod, on a cloud platform', edit: storage({ emptyDir: {} }) },
      { title: 'the same on vSphere', edit: chain(storage({ emptyDir: {} }), platform('VSphere')) },
    ],
    IMAGE_REGISTRY_PVC_NOT_BOUND: [
      {
        title: 'a claim without a volume',
        edit: chain(claim, unavailable),
        details: {
          info: {
            meta: { name: 'cluster' },
            storage: ['pvc'],
            condition: {
              type: 'Available',
              reason: 'NoReplicasAvailable',
              message: 'The deployment does not have available replicas',
              lastTransitionTime: since,
            },
            claim: 'registry-images',
          },
        },
      },
      {
        title: 'a volume that is bound to something else',
        edit: chain(claim, unavailable, volume('openshift-monitoring', 'registry-images')),
      },
      { title: 'a claim of the default name', edit: chain(storage({ pvc: { claim: '' } }), unavailable) },
    ],
  },
  silent: [
    { title: 'a registry with a bucket', edit: (files) => files },
    {
      title: 'a registry that was removed',
      edit: chain(storage({}), withValue(registry, ['spec', 'managementState'], 'Removed')),
    },
    {
      title: 'storage that ends with the pod where there is no platform',
      edit: chain(storage({ emptyDir: {} }), platform('None')),
    },
    {
      title: 'storage that ends with the pod on a single node',
      edit: chain(
        storage({ emptyDir: {} }),
        withValue('config/infrastructure.json', ['status', 'controlPlaneTopology'], 'SingleReplica'),
      ),
    },
    {
      title: 'storage that ends with the pod where only one node is to be seen',
      edit: chain(
        storage({ emptyDir: {} }),
        withoutFiles('config/node'),
        withFile('config/node/only.json', { metadata: { name: 'only' } }),
      ),
    },
    { title: 'a bound claim', edit: chain(claim, unavailable, volume('openshift-image-registry', 'registry-images')) },
    { title: 'a claim whose volume was not collected while the registry is available', edit: claim },
  ],
};
