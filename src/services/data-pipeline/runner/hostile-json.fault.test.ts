/**
 * Archives just under every limit of opening, filled with JSON that costs its parser as much time or memory as it can: none of them takes a
 * runner down, so that no rule is blamed, and each costs about as much as a large genuine one. In a real runner with the limits of production.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testCluster } from '../../../../test/support/announcements.ts';
import type { Report } from '../../../contracts/report.ts';
import { defaultArchiveLimits, entryBytesMax } from '../../../platform/archive/archive.ts';
import { packArchive } from '../../../platform/archive/pack-archive.ts';
import { createSystemClock } from '../../../platform/clock/clock.ts';
import { createManualClock } from '../../../platform/clock/manual-clock.ts';
import { RunnerPool } from '../../../platform/runner-pool/runner-pool.ts';
import { jsonFileBytesMax, jsonFileValuesMax } from '../../../rules/engine/archive-view.ts';
import { unmarkedOnly } from '../../../rules/engine/rule.ts';
import { defaultRuleSettings } from '../../../rules/engine/rule-settings.ts';
import { noPacks } from '../../../rules/packs/pack-set.ts';
import { archiveMsDefault, ruleMsDefault, runnerBytesDefault } from '../config.ts';
import { RuleQuarantine } from '../rule-quarantine.ts';
import { runRules } from '../steps/run-rules.ts';
import type { RuleRun, RuleRunResult } from './rule-run.ts';

let runners: RunnerPool<RuleRun, RuleRunResult>;
before(() => {
  runners = new RunnerPool({
    module: new URL('./rule-runner.ts', import.meta.url),
    size: 1,
    clock: createSystemClock(),
    jobMsMax: archiveMsDefault,
    stepMsMax: ruleMsDefault,
    childBytesMax: runnerBytesDefault,
    jobsPerChildMax: 1_000,
  });
});
after(() => runners.close());

const list = (element: string, bytes: number) =>
  `[${Array(Math.floor(bytes / (element.length + 1)) - 1)
    .fill(element)
    .join(',')}]`;
const members = (name: (index: number) => string) =>
  `{${Array.from({ length: jsonFileValuesMax / 2 - 2 }, (_, i) => `"${name(i)}":0`).join(',')}}`;
const resource = (inner: string) => `{"metadata":{"name":"x"},"spec":{},"status":{"conditions":${inner}}}`;

/** Where each fact with files of its own is read from; one that holds one file has it overwritten. */
const places = [
  ['nodes', (i: number) => `config/node/${i}.json`],
  ['cluster operators', (i: number) => `config/clusteroperator/${i}.json`],
  ['operator resources', (i: number) => `config/clusteroperator/g/k/${i}.json`],
  ['machine config pools', (i: number) => `config/machineconfigpools/${i}.json`],
  ['webhooks', (i: number) => `config/mutatingwebhookconfigurations/${i}.json`],
  ['alerts', () => 'config/alerts.json'],
  ['the version', () => 'config/version.json'],
] as const;

/** Just under what an entry may have: over the budget. */
const large = list('{}', entryBytesMax - 1_000);
/** Within the budget, as costly as it may be. */
const costly: Readonly<Record<string, () => string>> = {
  'empty objects': () => list('{}', jsonFileValuesMax),
  'empty lists in a resource': () => resource(list('[]', jsonFileValuesMax)),
  'different member names': () => members((i) => `k${i}`),
  'member names that are numbers': () => members((i) => String(i * 7919)),
  'one member name again and again': () => members(() => 'same'),
  'objects of different shapes': () =>
    `[${Array.from({ length: jsonFileValuesMax / 4 }, (_, i) => `{"q${i}":0}`).join(',')}]`,
  'one long text of escapes': () => `["${'\\u0416'.repeat(Math.floor(jsonFileBytesMax / 6) - 4)}"]`,
  'one long number': () => `[${'9'.repeat(jsonFileBytesMax - 10)}]`,
  'deep nesting': () => list('['.repeat(150) + ']'.repeat(150), jsonFileValuesMax * 1.9),
  'a quantity of many digits': () =>
    `{"metadata":{"name":"x"},"status":{"capacity":{"cpu":"${'1'.repeat(4_000_000)}x"}}}`,
};

async function run(files: readonly { path: string; body: string }[]) {
  const blamed: string[] = [];
  const sensitive = { clustersMin: 1, organizationsMin: 1, killsPerOrganizationMax: 10, killsMax: 10 };
  const quarantine = new RuleQuarantine({ clock: createManualClock(), quarantineMs: 1000, ...sensitive });
  const dependencies = {
    runners,
    quarantine,
    archiveLimits: { ...defaultArchiveLimits, ratioMax: Number.MAX_SAFE_INTEGER },
    selection: unmarkedOnly,
    packs: () => noPacks.source,
    packsMsMax: 1_000,
    failureLimits: { killedRulesMax: 2, killedPackRulesMax: 2, killedFactsMax: 2, unexplainedDeathsMax: 2 },
    settings: defaultRuleSettings,
    onCpu: () => undefined,
    onKilled: (component: string) => blamed.push(component),
    onRuleQuarantined: (rule: string) => blamed.push(rule),
  };
  const upload = {
    url: 'http://store/archive',
    announcedBytes: undefined,
    requestId: 'req-1',
    orgId: 666,
    accountNumber: 0,
    clusterId: testCluster,
    lastChecked: '2026-01-30T10:09:11Z',
    gatheredAt: new Date('2026-01-30T10:08:55Z'),
  };
  const packed = packArchive([{ path: 'config/id', body: testCluster }, ...files]);
  const outcome = await runRules(upload, packed, dependencies, {
    number: 1,
    retryMs: 375,
    elapsedMs: 0,
    signal: new AbortController().signal,
  });
  assert.ok(outcome.kind === 'done', JSON.stringify(outcome));
  assert.deepEqual([blamed, quarantine.general()], [[], []]);
  return { ...outcome.value, report: JSON.parse(outcome.value.reportText) as Report };
}

for (const [what, pathOf] of places) {
  test(`three files of ${entryBytesMax} bytes where ${what} belong are broken files of that archive`, async () => {
    const paths = new Set([0, 1, 2].map(pathOf));
    const { oversizedFiles, report } = await run([...paths].map((path) => ({ path, body: large })));
    assert.equal(oversizedFiles, paths.size);
    assert.ok(
      report.skips.some(({ reason, details }) => reason === 'INPUT_BROKEN' && details.includes([...paths][0]!)),
    );
  });
}

for (const [what, bodyOf] of Object.entries(costly)) {
  test(`G12: three files just under the budget, of ${what}, take no runner down`, async () => {
    const body = bodyOf();
    await run([0, 1, 2].map((i) => ({ path: `config/node/${i}.json`, body })));
  });
}

test('what a cluster of 500 nodes holds is read whole', async () => {
  const condition = (type: string) => ({
    type,
    status: 'True',
    lastTransitionTime: '2026-01-01T00:00:00Z',
    reason: 'r',
    message: 'm'.repeat(80),
  });
  const node = (i: number) => ({
    metadata: {
      name: `node-${i}`,
      labels: Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`label.example.com/${n}`, 'v'])),
    },
    spec: { taints: [] },
    status: {
      capacity: { cpu: '64', memory: '263856040Ki' },
      conditions: ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map(condition),
      images: Array.from({ length: 50 }, (_, n) => ({
        names: [`registry/image-${n}@sha256:${'0'.repeat(64)}`],
        sizeBytes: n,
      })),
    },
  });
  const alert = (i: number) => ({
    labels: { alertname: `A${i}`, severity: 'warning' },
    annotations: { summary: 's'.repeat(200) },
    status: { state: 'active' },
  });
  const nodes = Array.from({ length: 500 }, (_, i) => ({
    path: `config/node/${i}.json`,
    body: JSON.stringify(node(i)),
  }));
  const alerts = {
    path: 'config/alerts.json',
    body: JSON.stringify(Array.from({ length: 2_000 }, (_, i) => alert(i))),
  };
  const { brokenFiles, report } = await run([...nodes, alerts]);
  assert.equal(brokenFiles, 0);
  assert.equal(
    report.skips.some(({ reason }) => reason === 'INPUT_BROKEN'),
    false,
  );
});
