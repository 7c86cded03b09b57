/** What is counted of each rule, whoever made the reports, and in which order it is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Coverage, CoverageTally, type SeenReport, type SilentRules } from './tally-coverage.ts';

const plain: SeenReport = { hits: [], described: true, catalogue: undefined, skipped: {}, didNotRun: {} };

function coverageOf(reports: readonly Partial<SeenReport>[], modules: readonly string[] = []): Coverage {
  const tally = new CoverageTally(modules);
  for (const report of reports) tally.add({ ...plain, ...report });
  return tally.coverage();
}

/** `reports ran hit skipped missing broken failed left` of a rule. */
function countsOf({ rules }: Coverage, module: string): readonly number[] {
  const { reports, ran, hit, skipped, inputMissing, inputBroken, failed, leftOut } = rules.find(
    (rule) => rule.module === module,
  )!;
  const silent = [skipped, inputMissing, inputBroken, failed, leftOut];
  return [reports, ran, hit, ...silent.map((one) => one.reports)];
}

const hit = (module: string, errorKey = 'KEY') => ({ module, errorKey });
const silent = (module: string, reason: string, details = ''): SilentRules => ({ [module]: { reason, details } });

test('a rule ran over the reports of its catalogue in which nothing kept it from it', () => {
  const catalogue = new Set(['a', 'b']);
  const coverage = coverageOf([
    { catalogue },
    { catalogue, hits: [hit('a'), hit('a'), hit('a', 'OTHER')] },
    { catalogue, skipped: silent('a', 'MISSING_REQUIREMENTS') },
    { catalogue, didNotRun: silent('a', 'INPUT_MISSING') },
    { catalogue, didNotRun: silent('a', 'INPUT_BROKEN') },
    { catalogue, didNotRun: silent('a', 'RULE_FAILED') },
    { catalogue, didNotRun: silent('a', 'RULE_LEFT_OUT') },
    { catalogue, didNotRun: silent('a', 'INPUT_BROKEN'), hits: [hit('a')] },
  ]);
  assert.deepEqual(countsOf(coverage, 'a'), [8, 3, 2, 1, 1, 2, 1, 1]);
  assert.deepEqual(countsOf(coverage, 'b'), [8, 8, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(coverage.rules[0]!.errorKeys, { KEY: 2, OTHER: 1 });
  assert.deepEqual([coverage.reports, coverage.notDescribed, coverage.unreadable], [8, 0, 0]);
});

test('of reports whose catalogue is not known a rule counts where they name it, once each', () => {
  const coverage = coverageOf(
    [
      { described: false, hits: [hit('a')] },
      { hits: [hit('a')], skipped: silent('a', 'SOMETHING_ELSE') },
      { skipped: silent('a', 'SOMETHING_ELSE') },
      { described: false, hits: undefined },
    ],
    ['never'],
  );
  assert.deepEqual(countsOf(coverage, 'a'), [3, 2, 2, 2, 0, 0, 0, 0]);
  assert.deepEqual(countsOf(coverage, 'never'), [0, 0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual([coverage.reports, coverage.notDescribed, coverage.unreadable], [4, 2, 1]);
});

test('a rule that hit without being in the catalogue is counted too', () => {
  assert.deepEqual(countsOf(coverageOf([{ catalogue: new Set(['b']), hits: [hit('a')] }]), 'a')[0], 1);
});

test('inputs are told by name, the most frequent first, and however many there are, as many as fit', () => {
  const lacking = (...names: string[]) => `All: ['${names.join("', '")}'] Any: `;
  const { rules } = coverageOf([
    { skipped: silent('a', 'MISSING_REQUIREMENTS', lacking('x', 'y')) },
    { skipped: silent('a', 'MISSING_REQUIREMENTS', "All: [] Any: ['y', 'z']") },
    { skipped: silent('a', 'MISSING_REQUIREMENTS', "All: ['y', 'cut of") },
    ...Array.from({ length: 1_500 }, (_, index) => ({
      didNotRun: silent('a', 'INPUT_BROKEN', `broken: ['config/pod/p-${index}.json'] and 3 more`),
    })),
  ]);
  const { skipped, inputBroken } = rules[0]!;
  assert.deepEqual(skipped.inputs, [
    { name: 'y', reports: 3 },
    { name: 'x', reports: 1 },
    { name: 'z', reports: 1 },
  ]);
  assert.equal(skipped.others, 0);
  assert.deepEqual([inputBroken.inputs.length, inputBroken.others], [20, 1_480]);
});

test('the same lists, shared or not, count the same, also when there are more of them than are gathered', () => {
  const shared = silent('a', 'MISSING_REQUIREMENTS', "All: ['x'] Any: ");
  const catalogue = new Set(['a']);
  const many = 2_500;
  const one = coverageOf(Array.from({ length: many }, () => ({ catalogue, skipped: shared })));
  const other = coverageOf(Array.from({ length: many }, () => ({ catalogue: new Set(['a']), skipped: { ...shared } })));
  assert.deepEqual(one, other);
  assert.deepEqual(countsOf(one, 'a'), [many, 0, 0, many, 0, 0, 0, 0]);
});

test('first come rules that were kept from looking, then those that lacked something, then those that hit, last those of no report', () => {
  const catalogue = new Set(['quiet', 'hits', 'lacks', 'breaks']);
  const { rules } = coverageOf(
    [
      { catalogue, hits: [hit('hits')], skipped: silent('lacks', 'MISSING_REQUIREMENTS') },
      { catalogue, didNotRun: silent('breaks', 'INPUT_BROKEN'), skipped: silent('lacks', 'MISSING_REQUIREMENTS') },
    ],
    ['absent', 'quiet'],
  );
  assert.deepEqual(
    rules.map(({ module }) => module),
    ['breaks', 'lacks', 'hits', 'quiet', 'absent'],
  );
});
