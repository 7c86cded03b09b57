/** Clusters whose pools are well, degraded or at work. */
import { chain, type Edit, type RuleSamples, withCondition, withFile, withValue } from '../../sample.ts';
import { machinePoolCheck } from './rule.ts';

const since = '2026-11-20T22:20:58Z';
const path = (pool: string) => `config/machineconfigpools/${pool}.json`;
const condition = (pool: string, type: string, status: string, reason = '', message = ''): Edit =>
  withCondition(path(pool), { type, status, lastTransitionTime: since, reason, message });
const nodeMessage = 'Node worker-0.example.internal is reporting: "unexpected on-disk state"';
const told = (status: boolean | null, reason = '', message = '', time: string | null = since) => {
  return { status, last_trans_time: time, reason, message };
};

export const samples: RuleSamples = {
  rule: machinePoolCheck,
  fires: {
    MACHINE_POOL_NOT_OK: [
      {
        title: 'a pool with a node that is degraded',
        edit: condition('worker', 'NodeDegraded', 'True', '1 nodes are reporting degraded', nodeMessage),
      },
      {
        title: 'all that a pool says',
        edit: chain(
          withFile(path('gpu'), { metadata: { name: 'gpu' }, status: {} }),
          condition('gpu', 'Degraded', 'True'),
          condition('gpu', 'NodeDegraded', 'True', '1 nodes', nodeMessage),
          condition('gpu', 'RenderDegraded', 'False'),
          condition('gpu', 'Updating', 'True', '', 'All nodes are updating'),
        ),
        details: {
          machines: [
            {
              name: 'gpu',
              degraded: told(true),
              node_degraded: told(true, '1 nodes', nodeMessage),
              render_degraded: told(false),
              updated: told(null, '', '', null),
              updating: told(true, '', 'All nodes are updating'),
            },
          ],
        },
      },
      {
        title: 'a pool whose configuration cannot be put together',
        edit: condition('master', 'RenderDegraded', 'True', 'Failed'),
      },
      { title: 'a pool that only says that it is degraded', edit: condition('master', 'Degraded', 'True') },
    ],
  },
  silent: [
    { title: 'pools that are well', edit: (files) => files },
    {
      title: 'a pool that is at work',
      edit: chain(condition('worker', 'Updating', 'True'), condition('worker', 'Updated', 'False')),
    },
    { title: 'a pool of which it is not known', edit: condition('worker', 'Degraded', 'Unknown') },
    {
      title: 'a status that is no text',
      edit: withValue(path('worker'), ['status', 'conditions'], [{ type: 'Degraded', status: true }]),
    },
  ],
};
