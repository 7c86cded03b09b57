/** What becomes of an archive whose runner gives no result, attempt by attempt. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultArchiveLimits } from '../../../platform/archive/archive.ts';
import type { StepAttempt } from '../../../platform/bus/intake/step.ts';
import { createManualClock } from '../../../platform/clock/manual-clock.ts';
import { RunnerError } from '../../../platform/runner-pool/runner-job.ts';
import { defaultRuleSettings } from '../../../rules/engine/rule-settings.ts';
import { noPacks } from '../../../rules/packs/pack-set.ts';
import { RuleQuarantine } from '../rule-quarantine.ts';
import type { RuleRun, RuleRunResult } from '../runner/rule-run.ts';
import type { Upload } from '../upload.ts';
import { runRules } from './run-rules.ts';

const upload: Upload = {
  url: 'http://store/archive',
  announcedBytes: 100,
  requestId: 'req-1',
  orgId: 7,
  accountNumber: 0,
  clusterId: 'cluster-a',
  lastChecked: '2026-01-30T10:09:11Z',
  gatheredAt: new Date('2026-01-30T10:08:55Z'),
};
const first: StepAttempt = { number: 1, retryMs: 375, elapsedMs: 0, signal: new AbortController().signal };
const result = { clusterId: 'cluster-a', overLimit: [] as RuleRunResult['overLimit'] } as RuleRunResult;

function death(code: string, label: string | undefined, retryable = false): RunnerError {
  return new RunnerError('died', { code, category: 'limit', label, retryable });
}

/** Runners that answer one after the other as told; the last answer repeats. */
function make(answers: readonly (RunnerError | RuleRunResult)[]) {
  const jobs: RuleRun[] = [];
  const killed: string[] = [];
  const quarantined: string[] = [];
  const dependencies = {
    runners: {
      run: async (job: RuleRun) => {
        const answer = answers[Math.min(jobs.length, answers.length - 1)]!;
        jobs.push(job);
        if (answer instanceof RunnerError) throw answer;
        return answer;
      },
    },
    quarantine: new RuleQuarantine({
      clock: createManualClock(),
      quarantineMs: 1000,
      clustersMin: 2,
      organizationsMin: 2,
      killsPerOrganizationMax: 10,
      killsMax: 10,
    }),
    archiveLimits: defaultArchiveLimits,
    selection: { provisional: true, tutorial: false },
    packs: () => noPacks.source,
    packsMsMax: 1_000,
    failureLimits: { killedRulesMax: 2, killedPackRulesMax: 2, killedFactsMax: 1, unexplainedDeathsMax: 2 },
    settings: defaultRuleSettings,
    onCpu: () => undefined,
    onKilled: (component: string) => killed.push(component),
    onRuleQuarantined: (rule: string) => quarantined.push(rule),
  };
  return { dependencies, jobs, killed, quarantined };
}

const packed = Buffer.from('archive');
const run = (of: ReturnType<typeof make>, change: Partial<Upload> = {}) =>
  runRules({ ...upload, ...change }, packed, of.dependencies, first);

test('an archive whose rules run to an end is done at once', async () => {
  const given = make([result]);
  assert.deepEqual(await run(given), { kind: 'done', value: result });
  assert.deepEqual(given.jobs[0], {
    packed,
    limits: defaultArchiveLimits,
    clusterId: 'cluster-a',
    gatheredAt: '2026-01-30T10:08:55.000Z',
    selection: { provisional: true, tutorial: false },
    packs: undefined,
    settings: defaultRuleSettings,
    leaveOut: [],
    leaveOutFacts: [],
  });
});

test('each rule that takes its runner down is left out of the next attempt', async () => {
  const given = make([death('RUNNER_TIMEOUT', 'rule slow'), death('RUNNER_MEMORY', 'rule greedy'), result]);
  assert.equal((await run(given)).kind, 'done');
  assert.deepEqual(
    given.jobs.map((job) => job.leaveOut),
    [[], ['slow'], ['slow', 'greedy']],
  );
  assert.deepEqual(given.killed, ['slow', 'greedy']);
});

test('one killed rule more than an archive may lose puts the archive aside', async () => {
  const deaths = ['one', 'two', 'three'].map((rule) => death('RUNNER_CRASHED', `rule ${rule}`));
  const outcome = await run(make(deaths));
  assert.ok(outcome.kind === 'dead-letter');
  assert.equal(outcome.error.code, 'RUNNER_CRASHED');
});

test('files that take the runner down cost their archive the fact, and no rule is blamed', async () => {
  const given = make([death('RUNNER_MEMORY', 'fact nodes'), result]);
  assert.equal((await run(given)).kind, 'done');
  assert.deepEqual(
    given.jobs.map((job) => [job.leaveOut, job.leaveOutFacts]),
    [
      [[], []],
      [[], ['nodes']],
    ],
  );
  assert.deepEqual([given.killed, given.quarantined], [['fact nodes'], []]);
  await run(given);
  assert.deepEqual(given.jobs.at(-1)?.leaveOutFacts, [], 'the next archive is read as any other');
});

test('one fact more than an archive may lose puts the archive aside', async () => {
  const outcome = await run(make([death('RUNNER_MEMORY', 'fact nodes'), death('RUNNER_MEMORY', 'fact alerts')]));
  assert.equal(outcome.kind, 'dead-letter');
});

test('the next archive of that cluster does not pay again; one of another organization does, and then none', async () => {
  const given = make([death('RUNNER_TIMEOUT', 'rule slow'), result]);
  await run(given);
  await run(given);
  assert.deepEqual(given.jobs.at(-1)?.leaveOut, ['slow']);
  const other = make([death('RUNNER_TIMEOUT', 'rule slow'), result]);
  const shared = { ...other, dependencies: { ...other.dependencies, quarantine: given.dependencies.quarantine } };
  await run(shared, { orgId: 8 });
  assert.deepEqual(
    other.jobs.map((job) => job.leaveOut),
    [[], ['slow']],
  );
  assert.deepEqual(other.quarantined, ['slow']);
  await run(shared, { orgId: 9, clusterId: 'cluster-c' });
  assert.deepEqual(other.jobs.at(-1)?.leaveOut, ['slow']);
});

test('a death outside any rule is tried once more', async () => {
  const given = make([death('RUNNER_MEMORY', 'open the archive'), result]);
  assert.equal((await run(given)).kind, 'done');
  const twice = await run(make([death('RUNNER_MEMORY', 'open the archive')]));
  assert.ok(twice.kind === 'dead-letter');
  assert.equal(twice.error.code, 'RUNNER_MEMORY');
});

test('a bad archive is dead-lettered with its own code after one attempt', async () => {
  const given = make([death('ARCHIVE_TRUNCATED', 'open the archive')]);
  const outcome = await run(given);
  assert.ok(outcome.kind === 'dead-letter');
  assert.deepEqual([outcome.error.code, given.jobs.length], ['ARCHIVE_TRUNCATED', 1]);
});

test('without a runner the archive waits', async () => {
  const outcome = await run(make([death('RUNNER_UNAVAILABLE', undefined, true)]));
  assert.ok(outcome.kind === 'retry');
  assert.equal(outcome.afterMs, 375);
});

const module = (key: string) => `ccx_packs.ours.${key}`;
const rules = ['ONE', 'TWO', 'THREE'].map((key) => ({
  ...{ module: module(key), key, inputs: [], when: 'true', details: {}, tags: [] },
}));
const source = { version: 'v1', rules };

test('packs are sent to a runner that does not have this version, and only named to the others', async () => {
  const given = make([death('PACKS_WANTED', undefined), result]);
  await run({ ...given, dependencies: { ...given.dependencies, packs: () => source } });
  assert.deepEqual(
    given.jobs.map(({ packs }) => packs),
    [
      { version: 'v1', source: undefined, msMax: 1_000 },
      { version: 'v1', source, msMax: 1_000 },
    ],
  );
});

test('a rule of a pack that was over its limits is left out for the next archives; the report goes on', async () => {
  const given = make([
    { ...result, overLimit: [{ component: module('ONE'), error: 'it took more than 200 ms' }] },
    result,
  ]);
  assert.equal((await run(given)).kind, 'done');
  await run(given);
  assert.deepEqual(
    given.jobs.map(({ leaveOut }) => leaveOut),
    [[], [module('ONE')]],
  );
});

test('rules of packs that take runners down never cost the archive: in the end it runs without any of them', async () => {
  const given = make([...['ONE', 'TWO'].map((key) => death('RUNNER_MEMORY', `rule ${module(key)}`)), result]);
  const outcome = await run({ ...given, dependencies: { ...given.dependencies, packs: () => source } });
  assert.equal(outcome.kind, 'done');
  assert.deepEqual(given.jobs.at(-1)?.leaveOut.toSorted(), ['ONE', 'THREE', 'TWO'].map(module));
  assert.deepEqual(given.killed, ['ONE', 'TWO'].map(module));
});
