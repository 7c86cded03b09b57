/** A simulated cluster is a function of seed and time, and breaks, heals and upgrades as that passes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSimulatedCluster, isUuid } from '../../contracts/identifiers.ts';
import { openArchive } from '../../platform/archive/open-archive.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { allRules } from '../../rules/catalog/index-of-rules.ts';
import { evaluateArchive } from '../../rules/engine/evaluate-archive.ts';
import { selectRules } from '../../rules/engine/rule.ts';
import { clusterStateAt, simulatedClusterId } from './cluster-life.ts';
import { simulateCluster } from './simulate-cluster.ts';

const dayMs = 86_400_000;
const start = Date.parse('2026-11-27T00:00:00Z');
const member = fc.record({ seed: fc.nat(), number: fc.nat({ max: 1_000_000 }) });
const moment = fc.integer({ min: start - 400 * dayMs, max: start + 400 * dayMs }).map((ms) => new Date(ms));
const numbers = (version: string) => version.split('.').map(Number);

test('ids are of simulated clusters, each its own', () => {
  const ids = Array.from({ length: 20_000 }, (_, number) => simulatedClusterId({ seed: 1, number }));
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(ids.every((id) => isUuid(id) && isSimulatedCluster(id)));
  assert.notEqual(simulatedClusterId({ seed: 2, number: 0 }), ids[0]);
});

test('the same seed and moment make the same cluster, and its version never goes back', () => {
  fc.assert(
    fc.property(member, moment, fc.integer({ min: 0, max: 300 }), (who, at, days) => {
      const now = clusterStateAt(who, at);
      assert.deepEqual(now, clusterStateAt(who, at));
      const before = numbers(now.version);
      const after = numbers(clusterStateAt(who, new Date(at.getTime() + days * dayMs)).version);
      for (const [index, number] of before.entries()) assert.ok(after[index]! >= number, `${before} → ${after}`);
    }),
  );
});

test('within a month clusters break, heal, upgrade and are away', () => {
  const happened = { broke: 0, healed: 0, upgraded: 0, away: 0, clean: 0 };
  for (let number = 0; number < 200; number += 1) {
    const days = Array.from({ length: 31 }, (_, day) =>
      clusterStateAt({ seed: 1, number }, new Date(start + day * dayMs)),
    );
    for (const [day, { findings, version, isReporting }] of days.entries()) {
      if (!isReporting) happened.away += 1;
      if (findings.length === 0) happened.clean += 1;
      if (day === 0) continue;
      const before = new Set(days[day - 1]!.findings);
      happened.broke += findings.filter((finding) => !before.has(finding)).length;
      happened.healed += [...before].filter((finding) => !findings.includes(finding)).length;
      if (version !== days[day - 1]!.version) happened.upgraded += 1;
    }
  }
  // 6,200 days of clusters.
  assert.ok(happened.broke > 500 && happened.healed > 500, JSON.stringify(happened));
  assert.ok(happened.upgraded > 200 && happened.away > 30, JSON.stringify(happened));
  assert.ok(happened.clean > 1_000 && happened.clean < 5_500, JSON.stringify(happened));
});

test('the rules find in its archive what is wrong with it, at any moment', async () => {
  const rules = selectRules(allRules, { provisional: false, tutorial: false });
  const now = new Date(start);
  for (let number = 0; number < 60; number += 1) {
    const at = new Date(start + number * 5 * dayMs - 100 * dayMs);
    const { findings, version } = clusterStateAt({ seed: 7, number }, at);
    const cluster = simulateCluster({ seed: number, now, version, findings });
    const files = await openArchive(cluster.archive);
    const { report } = evaluateArchive({ files, rules, now, clock: createManualClock() });
    assert.deepEqual(report.reports.map(({ key }) => key).sort(), [...cluster.findings].sort(), version);
  }
});
