/** Clusters whose disruption budgets let a node be drained and do not. */
import type { JsonObject } from '../../../../encoding/json-text.ts';
import { chain, type Edit, type RuleSamples, withFile, withValue } from '../../sample.ts';
import { pdbBlocksDrain } from './rule.ts';

const status = (disruptionsAllowed: unknown, currentHealthy: unknown, expectedPods: unknown): JsonObject =>
  ({ disruptionsAllowed, currentHealthy, desiredHealthy: 1, expectedPods }) as JsonObject;
const budget = (name: string, spec: JsonObject, state: JsonObject): Edit =>
  withFile(`config/pdbs/shop/${name}.json`, { metadata: { name, namespace: 'shop' }, spec, status: state });

export const samples: RuleSamples = {
  rule: pdbBlocksDrain,
  fires: {
    PDB_BLOCKS_DRAIN: [
      {
        title: 'a budget that demands as many pods as there are',
        edit: budget('web', { minAvailable: 2 }, status(0, 2, 2)),
        details: { pdbs: [{ name: 'web', namespace: 'shop', demand: 'minAvailable: 2', expected_pods: 2 }] },
      },
      {
        title: 'budgets of shares, of one pod and without a demand or a namespace',
        edit: chain(
          budget('a', { minAvailable: '100%' }, status(0, 5, 5)),
          budget('b', { maxUnavailable: 0 }, status(0, 1, 1)),
          withFile('config/pdbs/shop/c.json', { metadata: { name: 'c' }, spec: null, status: status(0, 3, 2) }),
        ),
        details: {
          pdbs: [
            { name: 'a', namespace: 'shop', demand: 'minAvailable: 100%', expected_pods: 5 },
            { name: 'b', namespace: 'shop', demand: 'maxUnavailable: 0', expected_pods: 1 },
            { name: 'c', namespace: '', demand: '', expected_pods: 2 },
          ],
        },
      },
    ],
  },
  silent: [
    { title: 'a budget that lets a pod go', edit: budget('web', { maxUnavailable: 1 }, status(1, 2, 2)) },
    { title: 'a budget whose pods are broken', edit: budget('web', { minAvailable: 2 }, status(0, 1, 2)) },
    { title: 'a budget of no pods', edit: budget('web', { minAvailable: 2 }, status(0, 0, 0)) },
    {
      title: 'a single node, which is never drained',
      edit: chain(
        budget('web', { minAvailable: 1 }, status(0, 1, 1)),
        withValue('config/infrastructure.json', ['status', 'controlPlaneTopology'], 'SingleReplica'),
      ),
    },
    {
      title: 'what Rook blocks while it drains a host',
      edit: budget('rook-ceph-osd-host-worker-1', { maxUnavailable: 0 }, status(0, 2, 2)),
    },
    {
      title: 'budgets whose numbers are none',
      edit: chain(
        budget('a', { minAvailable: 2 }, status('0', '2', '2')),
        budget('b', {}, status(null, 2, 2)),
        budget('c', {}, status(0, [2], { 2: 2 })),
        withFile('config/pdbs/shop/d.json', { metadata: { name: 'd' }, status: [] }),
      ),
    },
  ],
};
