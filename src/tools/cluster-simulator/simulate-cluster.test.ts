/** Made-up clusters have the findings that were asked for, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isUuid4 } from '../../contracts/identifiers.ts';
import { SKIP_MISSING_REQUIREMENTS } from '../../contracts/report.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { openArchive } from '../../platform/archive/open-archive.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { allRules } from '../../rules/catalog/index-of-rules.ts';
import { evaluateArchive, readClusterId } from '../../rules/engine/evaluate-archive.ts';
import { selectRules } from '../../rules/engine/rule.ts';
import {
  PROVISIONAL_FINDINGS,
  randomFindings,
  SIMULATED_FINDINGS,
  type SimulatedCluster,
  simulateCluster,
} from './simulate-cluster.ts';

const rules = selectRules(allRules, { provisional: true, tutorial: false });
const now = new Date('2026-11-21T16:00:00Z');

/** What the rules say of the packed archive, after it was opened again. */
async function reported(cluster: SimulatedCluster): Promise<string[]> {
  const files = await openArchive(cluster.archive);
  assert.equal(readClusterId(files), cluster.clusterId);
  const { report } = evaluateArchive({ files, rules, now: cluster.gatheredAt, clock: createManualClock() });
  // A made-up cluster has none of what only some clusters have.
  assert.deepEqual(
    report.skips.filter(({ reason }) => reason !== SKIP_MISSING_REQUIREMENTS),
    [],
  );
  return report.reports.map((hit) => hit.key).sort();
}

test('a cluster without findings fires no rule', async () => {
  const cluster = simulateCluster({ seed: 1, now });
  assert.deepEqual(await reported(cluster), []);
  assert.equal(cluster.gatheredAt, now);
});

test('every error key of every rule but the tutorial can be asked for', () => {
  const keys = rules.flatMap(({ errorKeys }) => errorKeys);
  assert.deepEqual([...SIMULATED_FINDINGS].sort(), keys.sort());
});

for (const finding of SIMULATED_FINDINGS) {
  test(`a cluster with ${finding} fires it, and nothing that it does not say, until it is healed`, async () => {
    const broken = simulateCluster({ seed: finding, now, findings: [finding] });
    assert.equal(broken.findings[0], finding);
    assert.deepEqual(await reported(broken), [...broken.findings].sort());
    const healed = simulateCluster({ seed: finding, now, findings: [] });
    assert.equal(healed.clusterId, broken.clusterId);
    assert.deepEqual(await reported(healed), []);
  });
}

test('findings by chance are had at once, whatever the seed', async () => {
  const counts = new Map<number, number>();
  for (let seed = 0; seed < 200; seed += 1) {
    const findings = randomFindings(seed);
    counts.set(findings.length, (counts.get(findings.length) ?? 0) + 1);
    const cluster = simulateCluster({ seed, now, findings });
    assert.deepEqual(await reported(cluster), [...cluster.findings].sort());
    assert.deepEqual(
      findings.filter((finding) => PROVISIONAL_FINDINGS.has(finding)),
      [],
    );
  }
  assert.deepEqual([...counts.keys()].sort(), [0, 1, 2, 3]);
});

test('the same seed makes the same bytes, another seed another cluster', () => {
  const findings = ['OPERATOR_ISSUE', 'MCP_SET_TO_PAUSE'];
  const archiveOf = (seed: number) => simulateCluster({ seed, now, findings }).archive;
  assert.ok(archiveOf(7).equals(archiveOf(7)));
  assert.ok(!archiveOf(7).equals(archiveOf(8)));
});

test('an archive of typical size is as large as a real one and finds the same', async () => {
  const cluster = simulateCluster({ seed: 1, now, findings: ['OPERATOR_ISSUE'], size: 'typical' });
  const unpacked = [...cluster.files.values()].reduce((bytes, body) => bytes + body.length, 0);
  assert.ok(cluster.files.size > 170 && cluster.files.size < 210, `${cluster.files.size} files`);
  assert.ok(unpacked > 600_000 && unpacked < 800_000, `${unpacked} bytes`);
  assert.ok(cluster.archive.length > 80_000 && cluster.archive.length < 105_000, `${cluster.archive.length} packed`);
  assert.deepEqual(await reported(cluster), ['OPERATOR_ISSUE']);
});

test('every cluster has an id of its own, a UUID', () => {
  const ids = Array.from({ length: 100 }, (_, seed) => simulateCluster({ seed, now }).clusterId);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.ok(isUuid4(id), id);
  const clusterId = 'c25da893-5ba1-4229-9432-c8ec9334c4a0';
  assert.equal(simulateCluster({ seed: 1, now, clusterId }).clusterId, clusterId);
});

test('a finding that exists only at another time is gathered at that time', () => {
  const { gatheredAt } = simulateCluster({ seed: 1, now, findings: ['OCP4X_EOL_APPROACHING', 'OPERATOR_ISSUE'] });
  assert.equal(gatheredAt.toISOString(), '2025-07-28T06:00:00.000Z');
});

const isFindings = (error: unknown) => error instanceof CcxError && error.code === 'SIMULATE_FINDINGS' && !!error.hint;

test('findings that one cluster cannot have are refused, never left out', async () => {
  assert.throws(() => simulateCluster({ seed: 1, now, findings: ['UNHEARD_OF'] }), isFindings);
  for (const key of ['toString', 'TUTORIAL_ERROR'])
    assert.throws(() => simulateCluster({ seed: 1, now, findings: [key] }), isFindings);
  const releases = ['OCP4X_BEYOND_EOL', 'OCP4X_EUS_BEYOND_EOL'];
  assert.throws(() => simulateCluster({ seed: 1, now, findings: releases }), isFindings);
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.constantFrom(...SIMULATED_FINDINGS), { maxLength: 5 }), async (findings) => {
      let cluster: SimulatedCluster;
      try {
        cluster = simulateCluster({ seed: 1, now, findings });
      } catch (error) {
        assert.ok(isFindings(error), String(error));
        return;
      }
      assert.ok(findings.every((finding) => cluster.findings.includes(finding)));
      assert.deepEqual(await reported(cluster), [...cluster.findings].sort());
    }),
    { numRuns: 200 },
  );
});
