/** Clusters whose Ceph storage is well, is not and has not told yet. */
import type { JsonValue } from '../../../../encoding/json-text.ts';
import { chain, type Edit, type RuleSamples, withFile } from '../../sample.ts';
import { cephClusterHealth } from './rule.ts';

const file = (name: string) => `config/storage/openshift-storage/cephclusters/${name}.json`;
const ceph = (name: string, value: JsonValue): Edit => withFile(file(name), { phase: 'Ready', ceph: value });
const check = (message: string, severity = 'HEALTH_WARN') => ({ message, severity });
const storage = 'ocs-storagecluster-cephcluster';

export const samples: RuleSamples = {
  rule: cephClusterHealth,
  fires: {
    CEPH_CLUSTER_NOT_HEALTHY: [
      {
        title: 'a cluster with a disk down',
        edit: ceph(storage, {
          health: 'HEALTH_WARN',
          details: { PG_DEGRADED: check('12 pgs degraded'), OSD_DOWN: check('1 osds down') },
        }),
        details: {
          clusters: [
            {
              name: storage,
              namespace: 'openshift-storage',
              health: 'HEALTH_WARN',
              checks: [
                { name: 'OSD_DOWN', severity: 'HEALTH_WARN', message: '1 osds down' },
                { name: 'PG_DEGRADED', severity: 'HEALTH_WARN', message: '12 pgs degraded' },
              ],
              more_checks: 0,
            },
          ],
        },
      },
      {
        title: 'the whole resource, and a cluster that says nothing more',
        edit: chain(
          withFile(file('a'), { metadata: { name: 'x' }, status: { ceph: { health: 'HEALTH_ERR' } } }),
          ceph('b', { health: 'HEALTH_OK' }),
        ),
        details: {
          clusters: [{ name: 'a', namespace: 'openshift-storage', health: 'HEALTH_ERR', checks: [], more_checks: 0 }],
        },
      },
      {
        title: 'more checks than are listed, and some that are none',
        edit: ceph(storage, {
          health: 'HEALTH_ERR',
          details: {
            ...Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`CHECK_${10 + index}`, check('m')])),
            __proto: 'text',
            constructor: { message: 7 },
            toString: null,
          },
        }),
      },
    ],
  },
  silent: [
    { title: 'a cluster that is well', edit: ceph(storage, { health: 'HEALTH_OK' }) },
    { title: 'a cluster that is being made', edit: withFile(file(storage), { phase: 'Progressing' }) },
    {
      title: 'what is no health',
      edit: chain(
        ceph('a', { health: 7 }),
        ceph('b', 'HEALTH_ERR'),
        ceph('c', [{ health: 'HEALTH_ERR' }]),
        ceph('d', null),
      ),
    },
    {
      title: 'files elsewhere below the storage folder',
      edit: chain(
        withFile('config/storage/openshift-storage/storageclusters/a.json', { ceph: { health: 'HEALTH_ERR' } }),
        withFile('config/storage/openshift-storage/cephclusters/a/b.json', { ceph: { health: 'HEALTH_ERR' } }),
      ),
    },
  ],
};
