/** A disruption budget allows no disruption although all its pods are healthy. Source: data-pipeline.md 7.5 (generic checks). */
import type { DisruptionBudget } from '../../../engine/facts/disruption-budgets.ts';
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

export const pdbBlocksDrain = defineRule({
  module: 'ccx_rules_ocp.internal.rules.pdb_blocks_drain',
  errorKeys: ['PDB_BLOCKS_DRAIN'],
  requires: ['blockingBudgets', 'infrastructure'],
  evaluate({ blockingBudgets, infrastructure }) {
    // A single node is never drained: there is nowhere to go.
    if (infrastructure.controlPlaneTopology === 'SingleReplica') return makeNone();
    const blocking = blockingBudgets.filter((budget) => isBlocking(budget) && !isOfRook(budget));
    if (blocking.length === 0) return makeNone();
    return makeFail('PDB_BLOCKS_DRAIN', {
      pdbs: blocking.map(({ name, namespace, demand, expectedPods = 0 }) => ({
        name,
        namespace,
        demand,
        expected_pods: expectedPods,
      })),
    });
  },
});

/** While pods are broken a budget allows nothing, as it should; what is wrong then is not the budget. */
function isBlocking({ currentHealthy = 0, expectedPods = 0 }: DisruptionBudget): boolean {
  return expectedPods > 0 && currentHealthy >= expectedPods;
}

/** Rook blocks the other hosts of a storage cluster on purpose while one of them is drained, and then removes these budgets. */
function isOfRook({ name }: DisruptionBudget): boolean {
  return name.startsWith('rook-ceph-osd-');
}
