/** Clusters whose image registry has one storage backend, has two, or is degraded for another reason. */
import { chain, type Edit, type RuleSamples, withCondition, withFile, withoutFiles, withValue } from '../../sample.ts';
import { imageRegistryMultipleStorageTypes } from './rule.ts';

const registry = 'config/clusteroperator/imageregistry.operator.openshift.io/config/cluster.json';
const operator = 'config/clusteroperator/image-registry.json';
const since = '2026-11-01T08:00:00Z';
const selfLink = '/apis/imageregistry.operator.openshift.io/v1/configs/cluster';
const complaint =
  'Unable to apply resources: unable to sync storage configuration: exactly one storage type should be configured at the same time, got 2: [PVC S3]';
const degraded = (path: string, status: string, message: string): Edit =>
  withCondition(path, { type: 'Degraded', status, lastTransitionTime: since, reason: 'StorageConfiguration', message });
const twoBackends = withValue(registry, ['spec', 'storage', 'pvc'], { claim: '' });
const details = {
  info: {
    meta: { name: 'cluster', selfLink },
    condition: {
      type: 'Degraded',
      reason: 'StorageConfiguration',
      message: complaint,
      lastTransitionTime: since,
    },
  },
};

export const samples: RuleSamples = {
  rule: imageRegistryMultipleStorageTypes,
  fires: {
    IMAGE_REGISTRY_MULTIPLE_STORAGE_TYPES: [
      {
        title: 'a claim and a bucket at once',
        edit: chain(twoBackends, degraded(registry, 'True', complaint)),
        details,
      },
      {
        title: 'what only the cluster operator says, of a registry that cannot be seen',
        edit: chain(
          withoutFiles('config/clusteroperator/imageregistry.operator.openshift.io'),
          degraded(operator, 'True', complaint),
        ),
        details,
      },
      {
        title: 'a message without end, under the name that the resource has',
        edit: chain(
          withValue(registry, ['metadata'], { name: 'registry', selfLink: '/apis/registry' }),
          degraded(registry, 'True', `${complaint} ${'x'.repeat(5_000)}`),
        ),
        details: {
          info: {
            meta: { name: 'registry', selfLink: '/apis/registry' },
            condition: {
              type: 'Degraded',
              reason: 'StorageConfiguration',
              message: `${complaint} ${'x'.repeat(998 - complaint.length)}…`,
              lastTransitionTime: since,
            },
          },
        },
      },
    ],
  },
  silent: [
    { title: 'a registry with a bucket', edit: (files) => files },
    { title: 'two backends of which the operator has said nothing yet', edit: twoBackends },
    { title: 'a complaint that is over', edit: degraded(registry, 'False', complaint) },
    { title: 'a registry that is degraded for another reason', edit: degraded(operator, 'True', 'no such bucket') },
    {
      title: 'conditions of another shape',
      edit: chain(
        withFile(registry, { metadata: { name: 7 }, spec: {}, status: { conditions: { Degraded: complaint } } }),
        withValue(operator, ['status', 'conditions'], [null, complaint, { type: ['Degraded'], message: complaint }]),
      ),
    },
    {
      title: 'a message that is no text',
      edit: withCondition(registry, { type: 'Degraded', status: 'True', message: [complaint] }),
    },
  ],
};
