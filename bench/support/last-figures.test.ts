/** What a run says about the figures that were kept before it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Findings, Spread } from './benchmark.ts';
import { changesText } from './last-figures.ts';

const around = (median: number): Spread => ({ median, min: median * 0.9, max: median * 1.1 });

function findings(ratio: Spread, cpuUs: number, memory: number): Findings {
  const costs = {
    cpuUs: { process: around(cpuUs), children: around(0), server: around(0) },
    peakMebibytes: { process: around(100), children: around(0) },
  };
  return {
    comparisons: [
      {
        ...{ title: 'storing', unit: 'reports', rounds: 3 },
        subject: { name: 'writer', perSecond: around(1), costs },
        baselines: [{ name: 'COPY', perSecond: around(1), ratio }],
      },
    ],
    figures: [{ name: 'memory', value: memory, unit: 'MiB' }],
  };
}

function changes(before: Findings, now: Findings): string[] {
  const machine = { cpu: 'any', cores: 2, memoryGb: 8, node: 'v24', platform: 'linux-x64', load: 0, flushMs: 1 };
  const kept = { name: 'writer', description: 'any', date: '2026-11-26', command: 'any', machine, findings: before };
  const [title, ...lines] = changesText(kept, now).trimStart().split('\n');
  assert.equal(title, 'against the figures of 2026-11-26 (* more than their rounds differ)');
  return lines.map((line) => line.trim());
}

test('each row says how many times what it was, and a mark says that this is more than the rounds differ', () => {
  assert.deepEqual(changes(findings(around(0.2), 100, 50), findings(around(0.4), 105, 75)), [
    'storing, ratio to COPY: 0.2 → 0.4, × 2 *',
    'storing, writer: CPU µs, process: 100 → 105, × 1.05',
    'storing, writer: peak MiB, process: 100 → 100, × 1',
    'memory: 50 → 75, × 1.5 *',
  ]);
});

test('a row whose rounds reach over the median of the other is not marked', () => {
  const [line] = changes(findings(around(0.2), 1, 1), findings({ median: 0.4, min: 0.2, max: 0.5 }, 1, 1));
  assert.equal(line, 'storing, ratio to COPY: 0.2 → 0.4, × 2');
});

test('a row that was not there before is left out', () => {
  const before = { comparisons: [], figures: [{ name: 'memory', value: 10, unit: 'MiB' }] };
  assert.deepEqual(changes(before, findings(around(1), 1, 10)), ['memory: 10 → 10, × 1']);
});
