/** Clusters whose runtime configurations bound what containers write, for some pool or for none. */
import type { JsonObject, JsonValue } from '../../../../encoding/json-text.ts';
import { chain, type Edit, type RuleSamples, withFile } from '../../sample.ts';
import { containerMaxRootPartitionSize } from './rule.ts';

const workers = { matchLabels: { 'pools.operator.machineconfiguration.openshift.io/worker': '' } };
const config = (name: string, containerRuntimeConfig: JsonValue, machineConfigPoolSelector?: JsonObject): Edit =>
  withFile(`config/containerruntimeconfigs/${name}.json`, {
    metadata: { name },
    spec: { containerRuntimeConfig, ...(machineConfigPoolSelector === undefined ? {} : { machineConfigPoolSelector }) },
  });
const all = {
  matchExpressions: [{ key: 'pools.operator.machineconfiguration.openshift.io/infra', operator: 'DoesNotExist' }],
};

export const samples: RuleSamples = {
  rule: containerMaxRootPartitionSize,
  fires: {
    CONTAINER_ROOT_PARTITION_SIZE: [
      {
        title: 'a limit for the workers',
        edit: config('overlay', { overlaySize: '8G' }, workers),
        details: { mcps: ['worker'] },
      },
      {
        title: 'two limits, in the order of their files, a pool as often as it has one',
        edit: chain(config('b', { overlaySize: '8G' }, all), config('a', { overlaySize: 8e9 }, workers)),
        details: { mcps: ['worker', 'master', 'worker'] },
      },
    ],
  },
  silent: [
    { title: 'a cluster without such configurations', edit: (files) => files },
    {
      title: 'a configuration of something else',
      edit: config('pids', { pidsLimit: 2048, logLevel: 'debug' }, workers),
    },
    { title: 'a limit of nothing, which is none', edit: config('zero', { overlaySize: '0' }, workers) },
    {
      title: 'a limit for a pool that does not exist',
      edit: config('a', { overlaySize: '8G' }, { matchLabels: { gpu: '' } }),
    },
    { title: 'a limit that names no pool', edit: config('a', { overlaySize: '8G' }) },
    {
      title: 'limits that are none',
      edit: chain(
        ...[['8G'], { size: '8G' }, 'plenty', true, null].map((overlaySize, index) =>
          config(`odd-${index}`, { overlaySize }, workers),
        ),
        config('text', '8G', workers),
      ),
    },
  ],
};
