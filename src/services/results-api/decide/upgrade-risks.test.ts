/** What speaks against an update, and what does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FailingOperator, FiringAlert } from '../../../contracts/cluster-conditions.ts';
import { decideUpgrade } from './upgrade-risks.ts';

const critical = (name: string, namespace = 'openshift-etcd'): FiringAlert => ({
  name,
  namespace,
  severity: 'critical',
});
const degraded: FailingOperator = { name: 'ingress', condition: 'Degraded', reason: 'PodsNotReady' };

const harmless: readonly [why: string, alerts: readonly FiringAlert[]][] = [
  ['there is none', []],
  ['there is one alone', [critical('A')]],
  ['the one alert fires twice', [critical('A'), critical('A')]],
  ['they are warnings', ['A', 'B'].map((name) => ({ ...critical(name), severity: 'warning' }))],
  ['they are about no namespace', [critical('A', ''), critical('B', '')]],
  ['they are about workloads', [critical('A', 'shop'), critical('B', 'shop')]],
  ['they are about what is installed beside', [critical('A', 'openshift-storage'), critical('B', 'openshift-logging')]],
  ['only one counts', [critical('A'), critical('B', 'openshift-gitops')]],
];

for (const [why, alerts] of harmless)
  test(`no alert speaks against an update where ${why}`, () => {
    assert.deepEqual(decideUpgrade({ alerts, operators: [] }), { isRecommended: true, alerts: [], operators: [] });
  });

test('two critical alerts of the platform do, in order of their names, each once', () => {
  const alerts = [critical('B'), critical('A'), critical('B'), critical('A', 'openshift-dns')];
  assert.deepEqual(decideUpgrade({ alerts, operators: [] }), {
    isRecommended: false,
    alerts: [critical('A', 'openshift-dns'), critical('A'), critical('B')],
    operators: [],
  });
});

test('an operator that fails does alone, with the first of its reasons', () => {
  const operators = [
    degraded,
    { ...degraded, reason: 'another' },
    { ...degraded, condition: 'Not Available' as const },
  ];
  assert.deepEqual(decideUpgrade({ alerts: [critical('A')], operators }), {
    isRecommended: false,
    alerts: [],
    operators: [degraded, operators[2]],
  });
});
