/** Clusters with paused and running machine config pools. */
import { chain, type Edit, type RuleSamples, withFile, withValue } from '../../sample.ts';
import { mcpSetToPause } from './rule.ts';

const pause = (pool: string): Edit => withValue(`config/machineconfigpools/${pool}.json`, ['spec', 'paused'], true);

export const samples: RuleSamples = {
  rule: mcpSetToPause,
  fires: {
    MCP_SET_TO_PAUSE: [
      { title: 'one paused pool', edit: pause('worker'), details: { pause: [{ name: 'worker' }] } },
      {
        title: 'two paused pools, in order of name',
        edit: chain(pause('worker'), pause('master')),
        details: { pause: [{ name: 'master' }, { name: 'worker' }] },
      },
      {
        title: 'a pool by its own name, once, whatever its files are called',
        edit: chain(
          withFile('config/machineconfigpools/a.json', { metadata: { name: 'infra' }, spec: { paused: true } }),
          withFile('config/machineconfigpools/b.json', { metadata: { name: 'infra' }, spec: { paused: true } }),
        ),
        details: { pause: [{ name: 'infra' }] },
      },
    ],
  },
  silent: [
    { title: 'pools that run', edit: (files) => files },
    {
      title: 'a pool that says nothing of being paused',
      edit: withFile('config/machineconfigpools/infra.json', { metadata: { name: 'infra' }, spec: {} }),
    },
    {
      title: 'a value that is no boolean',
      edit: withFile('config/machineconfigpools/infra.json', { metadata: { name: 'infra' }, spec: { paused: 'true' } }),
    },
  ],
};
