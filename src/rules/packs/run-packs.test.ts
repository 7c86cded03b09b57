/** Rules of packs over archives: what comes of each, our functions, and that whatever one of them does costs only itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { type SampleFiles, toArchiveFiles } from '../catalog/sample.ts';
import { createArchiveView } from '../engine/archive-view.ts';
import { evaluateArchive } from '../engine/evaluate-archive.ts';
import { compileExpression, environmentOf } from './compile-expression.ts';
import type { PackRule } from './pack.ts';
import { type PackOutcome, PackProgram, packRunLimits } from './run-packs.ts';

const now = new Date('2026-01-30T10:00:00Z');

function packRule(when: string, changes: Partial<PackRule> = {}): PackRule {
  const inputs = [{ name: 'a', pattern: 'config/a.json', optional: false }];
  return { module: 'ccx_packs.ours.A_RULE', key: 'A_RULE', inputs, when, details: {}, tags: [], ...changes };
}

function run(rule: PackRule, files: SampleFiles | ReadonlyMap<string, Buffer>): PackOutcome {
  const program = new PackProgram({ version: '1', rules: [rule] });
  const archive = createArchiveView(files instanceof Map ? files : toArchiveFiles(files as SampleFiles));
  return program.run(rule, {
    inputs: program.read(archive),
    gatheredAt: now,
    isLost: (path) => path === 'config/lost.json',
  });
}

/** Of an expression over one file. */
function evaluated(expression: string, a: unknown = {}): unknown {
  const outcome = run(packRule('true', { details: { value: expression } }), { 'config/a.json': a as never });
  return outcome.kind === 'fires'
    ? outcome.details['value']
    : outcome.kind === 'skipped'
      ? outcome.details
      : outcome.kind;
}

test('a detail that would fill the memory costs its rule, and the report of the archive is there', () => {
  const files = toArchiveFiles({ 'config/a.json': { text: 'x'.repeat(400_000), list: Array(2_000).fill(0) } });
  const rules = [
    packRule('true', { details: { all: 'a.list.map(x, a.text)' } }),
    packRule('true', { module: 'ccx_packs.ours.B_RULE', key: 'B_RULE' }),
  ];
  const packs = new PackProgram({ version: '1', rules });
  const { report } = evaluateArchive({ files, rules: [], packs, now, clock: createSystemClock() });
  assert.deepEqual(
    report.reports.map(({ key }) => key),
    ['B_RULE'],
  );
  assert.deepEqual(
    report.skips.map(({ reason, details }) => [reason, details]),
    [['RULE_FAILED', 'details.all: a value is too large for a report']],
  );
});

test('a condition that is true fires with its details; one that cannot be told is no answer, with path and reason', () => {
  const files = { 'config/a.json': { n: 1, list: [1, 2, 3], name: 'x' } };
  const details = {
    half: 'a.n / 2',
    more: 'a.list.filter(x, x > 1)',
    at: 'gathered_at',
    for: 'duration("90m")',
    map: '{"n": a.n + 1}',
  };
  assert.deepEqual(run(packRule('a.n == 1', { details }), files), {
    kind: 'fires',
    details: { half: 0.5, more: [2, 3], at: '2026-01-30T10:00:00Z', for: '5400s', map: { n: 2 } },
  });
  assert.deepEqual(run(packRule('a.n == 2'), files), { kind: 'silent' });
  for (const [rule, expected] of [
    [packRule('a.m == 1'), 'when: No such key: m (in a.m)'],
    [packRule('a.n'), 'when: the condition is neither true nor false'],
    [packRule('a.name > 1'), /^when: no such overload/],
    [packRule('true', { details: { x: 'a.list[7]' } }), /^details\.x: .*index 7/],
    [packRule('9223372036854775807 + int(a.n) > 0'), /^when: integer overflow/],
    [packRule('semver(a.name).isAtLeast("4.1")'), /^when: semver\(\): this is no version: "x"/],
    [packRule('true', { details: { x: 'b"abc"' } }), /^details\.x: a report holds texts, numbers/],
    [packRule('true', { details: { x: 'type(a)' } }), /^details\.x: a report holds texts, numbers/],
    [packRule('true', { details: { x: 'semver("4.1")' } }), /^details\.x: a report holds texts, numbers/],
    [packRule('true', { details: { x: 'a.n / 0' } }), /^details\.x: a report cannot hold a number that is infinite/],
  ] as const) {
    const outcome = run(rule, files);
    assert.ok(outcome.kind === 'skipped' && outcome.reason === 'RULE_FAILED', JSON.stringify(outcome));
    if (typeof expected === 'string') assert.equal(outcome.details, expected);
    else assert.match(outcome.details, expected);
  }
});

test('a pattern without a file is a missing input, a broken file is told, and an optional input is null or empty', () => {
  const inputs = [
    { name: 'a', pattern: 'config/a.json', optional: true },
    { name: 'many', pattern: 'config/*/x-*.json', optional: true },
  ];
  const rule = packRule('a == null && size(many) == 0', { inputs });
  assert.deepEqual(run(rule, {}), { kind: 'fires', details: {} });
  const some = {
    'config/b/x-1.json': 1,
    'config/b/y-1.json': 2,
    'config/b/c/x-1.json': 3,
    'config/x-.json': 4,
    'config/b/x-.json': 5,
  };
  assert.deepEqual(run(packRule('true', { inputs, details: { many: 'many' } }), some), {
    kind: 'fires',
    details: { many: [5, 1] },
  });

  const missing = { kind: 'skipped', reason: 'MISSING_REQUIREMENTS', details: "All: ['config/a.json'] Any: " };
  assert.deepEqual(run(packRule('true'), {}), missing);
  const lost = packRule('true', { inputs: [{ name: 'a', pattern: 'config/lost.json', optional: false }] });
  assert.deepEqual(run(lost, {}), { ...missing, reason: 'INPUT_MISSING', details: "All: ['config/lost.json'] Any: " });
  const broken = new Map([['config/a.json', Buffer.from('{"a":')]]);
  assert.deepEqual(run(packRule('true'), broken), {
    kind: 'skipped',
    reason: 'INPUT_BROKEN',
    details: "broken: ['config/a.json']",
  });
});

test('our functions: versions, conditions, quantities, extremes, and numbers of all kinds', () => {
  const resource = {
    status: { conditions: [{ type: 'Degraded', status: 'True', reason: 'Bad' }] },
    v: '4.17.3',
    m: '16Gi',
    n: [3, 1.5, 2],
  };
  for (const [expression, expected] of [
    ['semver(a.v).isAtLeast("4.17")', true],
    ['semver(a.v).isAtLeast("4.17.4")', false],
    ['semver("4.18.0-rc.1").isAtLeast("4.18")', false],
    ['semver(a.v).minor()', 17],
    ['condition(a, "Degraded").reason', 'Bad'],
    ['condition(a, "Available").status', 'Unknown'],
    ['quantity(a.m) == quantity("16384Mi")', true],
    ['quantity("500m") + quantity("1e3") + quantity(2)', 1002.5],
    ['lists.max(a.n)', 3],
    ['lists.min(a.n.map(x, x + 1))', 2.5],
    ['lists.max([timestamp("2026-01-01T00:00:00Z"), gathered_at])', '2026-01-30T10:00:00Z'],
    ['lists.max(a.n.filter(x, x > 9))', 'details.value: lists.max(): the list is empty'],
    ['quantity("lots")', 'details.value: quantity(): this is no quantity: "lots"'],
    ['a.n[0] % 2 == 1 && 2 * a.n[0] - 1 == 5', true],
    ['a.v.matches("^4[.]1[0-9][.]")', true],
    ['gathered_at - timestamp("2026-01-29T10:00:00Z") == duration("24h")', true],
    ['["a", "b"].exists_one(x, x == "b") && a.n.all(x, x > 1)', true],
  ] as const) {
    assert.deepEqual(evaluated(expression, resource), expected, expression);
  }
});

test('members that every object has without having them are not there, and those that an archive invents are its own', () => {
  const hostile = JSON.parse(
    '{"__proto__": {"x": 1}, "constructor": {"y": 2}, "toString": 3, "list": [{"constructor": "mine"}]}',
  );
  for (const [expression, expected] of [
    ['has(a.constructor) || has(a.__proto__) || "toString" in a', false],
    ['a.list.constructor', /^details\.value:/],
    ['a.hasOwnProperty', /^details\.value: No such key/],
  ] as const) {
    const value = evaluated(expression, { list: [] });
    if (typeof expected === 'boolean') assert.equal(value, expected, expression);
    else assert.match(String(value), expected, expression);
  }
  assert.equal(evaluated('a.constructor.y + a.toString', hostile), 5);
  assert.equal(evaluated('a.list[0].constructor', hostile), 'mine');
  assert.equal(evaluated('a["__proto__"].x', hostile), 1);
  assert.deepEqual(evaluated('{"__proto__": a.list}', hostile), {});
  assert.equal(({} as Record<string, unknown>)['x'], undefined);
});

test('regular expressions are linear or refused, however the call is written', () => {
  const text = `${'a'.repeat(20_000)}!`;
  assert.equal(evaluated('a.t.matches("^(a+)+$")', { t: text }), false);
  assert.equal(evaluated('a.t.matches(a.p)', { t: text, p: '(a|aa)+$' }), false);
  assert.match(String(evaluated('a.t.matches(a.p)', { t: 'aa', p: '(a)\\1' })), /no linear regular expression/);
  const environment = environmentOf(packRule('true').inputs);
  for (const expression of [
    'a.t.matches("(?<=a)b")',
    'a.t // .matches( \n .matches("x")',
    'a.linears("x")',
    'a.t.linears("x")',
  ]) {
    const compiled = compileExpression(expression, environment, []);
    assert.ok('faults' in compiled, expression);
  }
});

const clock = createSystemClock();

test('a rule that does not end, grows or nests costs its time and nothing else', () => {
  const numbers = Array.from({ length: 2_000 }, (_, at) => at);
  const bombs = {
    ENDLESS: 'a.n.all(x, a.n.all(y, a.n.all(z, x + y + z >= 0)))',
    LISTS: 'size(a.n.map(x, a.n.map(y, a.n.map(z, z)))) > 0',
    TEXTS: `size(${Array.from({ length: 30 }, (_, at) => `.map(t${at}, t${at} + t${at})`).reduce((text, step) => text + step, '["xxxxxxxx"]')}[0]) == 0`,
    REGEX: 'a.n.exists(x, a.n.exists(y, a.t.matches("(.*)(.*)[^a]" + string(x) + string(y))))',
  };
  const rules = Object.entries(bombs).map(([key, when]) => packRule(when, { key, module: `ccx_packs.ours.${key}` }));
  const program = new PackProgram({ version: '1', rules: [...rules, packRule('a.n[1] == 1')] });
  const started = clock.monotonicMs();
  const { report, overLimit } = evaluateArchive({
    files: toArchiveFiles({ 'config/a.json': { n: numbers, t: 'a'.repeat(50_000) } }),
    ...{ rules: [], packs: program, now, clock },
  });
  // Each may be tried three times on a busy machine.
  assert.ok(clock.monotonicMs() - started < 10 * rules.length * packRunLimits.ruleMsMax);
  assert.deepEqual(
    report.reports.map(({ component, key, rule_id }) => [component, key, rule_id]),
    [['ccx_packs.ours.A_RULE.report', 'A_RULE', 'A_RULE|A_RULE']],
  );
  const stopped = report.skips.filter(({ reason }) => reason === 'RULE_LEFT_OUT').map(({ rule_fqdn }) => rule_fqdn);
  for (const key of ['ENDLESS', 'LISTS', 'REGEX']) assert.ok(stopped.includes(`ccx_packs.ours.${key}.report`), key);
  assert.equal(report.skips.length, rules.length);
  assert.deepEqual(overLimit.map(({ component }) => `${component}.report`).sort(), stopped.sort());
});

test('packs together have a time, and what is left out by name does not run', () => {
  const rules = ['ONE', 'TWO'].map((key) => packRule('true', { key, module: `ccx_packs.ours.${key}` }));
  const program = new PackProgram({ version: '1', rules });
  const files = toArchiveFiles({ 'config/a.json': {} });
  const reasons = (change: object) =>
    evaluateArchive({ files, rules: [], packs: program, now, clock, ...change }).report.skips.map(
      ({ details }) => details,
    );
  assert.deepEqual(reasons({}), []);
  assert.deepEqual(reasons({ skipRules: new Set(['ccx_packs.ours.TWO']) }), [
    'left out: it went over its limits before',
  ]);
  assert.deepEqual(
    reasons({ packsMsMax: -1 }),
    Array(2).fill('left out: the rules before it took the time of all rules of packs'),
  );
  assert.deepEqual(reasons({ skipFacts: new Set(['pack inputs']) }), Array(2).fill("broken: ['config/a.json']"));
});
