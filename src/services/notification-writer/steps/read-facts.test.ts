/** What is read of a message beside its report, and that nothing a sender writes there costs more than that fact. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportMessage } from '../../../../test/support/report-messages.ts';
import { parseOcpResults } from '../../../contracts/parse-ocp-results.ts';
import { notRunReasons, SKIP_MISSING_REQUIREMENTS } from '../../../contracts/report.ts';
import { HEADER_CATALOGUE_RULES, HEADER_CATALOGUE_VERSION } from '../../../contracts/topics.ts';
import type { RecordHeader } from '../../../platform/bus/bus.ts';
import type { IgnoredFact, ReportFacts } from '../report.ts';
import {
  createFactsMemory,
  factDetailsBytesMax,
  factModuleBytesMax,
  factPartBytesMax,
  factRulesMax,
  readFacts,
} from './read-facts.ts';

type Members = Readonly<Record<string, unknown>>;

function factsOf(
  members: Members | string,
  { headers = [], metadata }: { readonly headers?: readonly RecordHeader[]; readonly metadata?: string } = {},
): ReportFacts {
  const report =
    typeof members === 'string' ? members : JSON.stringify({ fingerprints: [], reports: [], system: {}, ...members });
  const parsed = parseOcpResults(Buffer.from(reportMessage({ Report: report, Metadata: metadata })));
  assert.equal(parsed.kind, 'received', 'it is a report that the writer takes');
  return readFacts({ headers }, parsed.report, createFactsMemory());
}

const skip = (module: unknown, reason: unknown, details: unknown = 'why') => ({
  rule_fqdn: typeof module === 'string' ? `${module}.report` : module,
  reason,
  details,
  type: 'skip',
});
const header = (name: string, value: string | Buffer): RecordHeader => ({ name, value: Buffer.from(value) });
const catalogueHeaders = (version: string | Buffer, rules: string | Buffer): RecordHeader[] => [
  header(HEADER_CATALOGUE_VERSION, version),
  header(HEADER_CATALOGUE_RULES, rules),
];
const parsed = (text: string | undefined): unknown => (text === undefined ? undefined : JSON.parse(text));

test('a message that says nothing more than it must has no facts and nothing ignored', () => {
  assert.deepEqual(factsOf({}), {
    ...{ gatheredMicros: undefined, clusterVersion: undefined, catalogue: undefined },
    ...{ didNotRun: undefined, skipped: undefined, ignored: [] },
  });
});

test('times, versions and silent rules are read, rules by their module', () => {
  const facts = factsOf(
    {
      info: [
        { info_id: 'other|X', details: { version: 'no' } },
        { info_id: 'version_info|CLUSTER_VERSION_INFO', details: { version: '4.17.3' } },
      ],
      skips: [
        skip('a.ran', SKIP_MISSING_REQUIREMENTS, "All: ['Nodes']"),
        ...notRunReasons.map((reason, index) => skip(`a.own${index}`, reason)),
        skip('a.other', 'ANOTHER_PIPELINE'),
      ],
    },
    {
      headers: catalogueHeaders('ccx-notifications-0.1.0+0123456789ab', '["b.rule","a.rule","b.rule"]'),
      metadata: '{"gathering_time":"2026-01-30T10:08:55Z"}',
    },
  );
  assert.equal(facts.gatheredMicros, 1_769_767_735_000_000n);
  assert.equal(facts.clusterVersion, '4.17.3');
  assert.deepEqual(
    [facts.catalogue?.version, facts.catalogue?.rules],
    ['ccx-notifications-0.1.0+0123456789ab', '["a.rule","b.rule"]'],
  );
  assert.deepEqual(
    parsed(facts.didNotRun),
    Object.fromEntries(notRunReasons.map((reason, index) => [`a.own${index}`, { reason, details: 'why' }])),
  );
  assert.deepEqual(parsed(facts.skipped?.rules), {
    'a.ran': { reason: SKIP_MISSING_REQUIREMENTS, details: "All: ['Nodes']" },
    'a.other': { reason: 'ANOTHER_PIPELINE', details: 'why' },
  });
  assert.deepEqual(facts.ignored, []);
});

test('a rule that is named twice did not run as soon as one of its items says so', () => {
  for (const reasons of [
    [SKIP_MISSING_REQUIREMENTS, 'RULE_FAILED'],
    ['RULE_FAILED', SKIP_MISSING_REQUIREMENTS],
  ]) {
    const facts = factsOf({ skips: reasons.map((reason) => skip('a.rule', reason)) });
    assert.deepEqual(parsed(facts.didNotRun), { 'a.rule': { reason: 'RULE_FAILED', details: 'why' } });
    assert.equal(facts.skipped, undefined);
  }
});

test('the same list under the same version is one catalogue, whatever its order; another list is another', () => {
  const readCatalogue = createFactsMemory();
  const report = parseOcpResults(Buffer.from(reportMessage()));
  assert.equal(report.kind, 'received');
  const digest = (rules: string) =>
    readFacts({ headers: catalogueHeaders('1', rules) }, report.report, readCatalogue).catalogue?.rulesSha256.toString(
      'hex',
    );
  assert.equal(digest('["a","b"]'), digest('["b", "a"]'));
  assert.notEqual(digest('["a","b"]'), digest('["a"]'));
  for (let round = 0; round < 20; round += 1) assert.equal(digest(`["a","${round}"]`), digest(`["${round}","a"]`));
});

const long = 'x'.repeat(factModuleBytesMax + 1);

/** Each is taken as a report; the label says what of it is ignored. */
const hostile: readonly [why: string, ignored: readonly IgnoredFact[], facts: () => ReportFacts][] = [
  ['skips that are no list', ['skips'], () => factsOf({ skips: { a: 1 } })],
  ['a skip that is no object', ['skips'], () => factsOf({ skips: [7] })],
  ['a rule without a name', ['skips'], () => factsOf({ skips: [skip('', 'RULE_FAILED')] })],
  ['a rule whose name is a list', ['skips'], () => factsOf({ skips: [skip(['a'], 'RULE_FAILED')] })],
  ['a NUL in a name, which the table cannot hold', ['skips'], () => factsOf({ skips: [skip('a\0', 'RULE_FAILED')] })],
  ['half a surrogate in a name', ['skips'], () => factsOf({ skips: [skip('a\ud800', 'X')] })],
  ['a name that is too long', ['skips'], () => factsOf({ skips: [skip(long, 'RULE_FAILED')] })],
  ['a reason that is a number', ['skips'], () => factsOf({ skips: [skip('a', 7)] })],
  ['skips of a megabyte', ['skips'], () => factsOf({ skips: [skip('a', 'X', 'x'.repeat(factPartBytesMax))] })],
  ['info that is no list', ['cluster-version'], () => factsOf({ info: 'x' })],
  [
    'a version that is a number',
    ['cluster-version'],
    () => factsOf({ info: [{ info_id: 'version_info|CLUSTER_VERSION_INFO', details: { version: 4 } }] }),
  ],
  ['a gathering time that is none', ['gathering-time'], () => factsOf({}, { metadata: '{"gathering_time":"now"}' })],
  ['a gathering time of the year 0', [], () => factsOf({}, { metadata: '{"gathering_time":"0000-01-01T00:00:00Z"}' })],
  ['metadata that is a list', [], () => factsOf({}, { metadata: '[1]' })],
  ['a version without rules', ['catalogue'], () => factsOf({}, { headers: [header(HEADER_CATALOGUE_VERSION, '1')] })],
  ['rules without a version', ['catalogue'], () => factsOf({}, { headers: [header(HEADER_CATALOGUE_RULES, '["a"]')] })],
  ['an empty version', ['catalogue'], () => factsOf({}, { headers: catalogueHeaders('', '["a"]') })],
  [
    'a version of 129 characters',
    ['catalogue'],
    () => factsOf({}, { headers: catalogueHeaders('x'.repeat(129), '["a"]') }),
  ],
  ['a version with a line break', ['catalogue'], () => factsOf({}, { headers: catalogueHeaders('1\n', '["a"]') })],
  [
    'bytes that are no UTF-8',
    ['catalogue'],
    () => factsOf({}, { headers: catalogueHeaders(Buffer.from([0xff]), '["a"]') }),
  ],
  ['rules that are no JSON', ['catalogue'], () => factsOf({}, { headers: catalogueHeaders('1', '["a"') })],
  ['rules that are an object', ['catalogue'], () => factsOf({}, { headers: catalogueHeaders('1', '{"a":1}') })],
  [
    'no rules, with which every rule would be a removed one',
    ['catalogue'],
    () => factsOf({}, { headers: catalogueHeaders('1', '[]') }),
  ],
  ['a rule that is a number', ['catalogue'], () => factsOf({}, { headers: catalogueHeaders('1', '["a",1]') })],
  ['a rule with a NUL', ['catalogue'], () => factsOf({}, { headers: catalogueHeaders('1', '["a\\u0000"]') })],
  [
    'too many rules',
    ['catalogue'],
    () =>
      factsOf(
        {},
        {
          headers: catalogueHeaders('1', JSON.stringify(Array.from({ length: factRulesMax + 1 }, (_, at) => `r${at}`))),
        },
      ),
  ],
  [
    'rules of a megabyte',
    ['catalogue'],
    () => factsOf({}, { headers: catalogueHeaders('1', `["a"${' '.repeat(factPartBytesMax)}]`) }),
  ],
  [
    'two versions',
    ['catalogue'],
    () => factsOf({}, { headers: [...catalogueHeaders('1', '["a"]'), header(HEADER_CATALOGUE_VERSION, '2')] }),
  ],
];

for (const [why, ignored, facts] of hostile) {
  test(`${why}: the report stands, and the fact is ${ignored.length === 0 ? 'absent' : 'ignored'}`, () => {
    const read = facts();
    assert.deepEqual(read.ignored, ignored);
    assert.deepEqual(
      [read.gatheredMicros, read.clusterVersion, read.catalogue, read.didNotRun, read.skipped?.rules],
      [undefined, undefined, undefined, undefined, undefined],
    );
  });
}

test('one item that cannot be used does not take the others with it, and details are cut', () => {
  const facts = factsOf({
    skips: [skip('a', 'RULE_FAILED', `${'ä'.repeat(factDetailsBytesMax)}`), null, skip('b', 'X', 7)],
  });
  assert.deepEqual(facts.ignored, ['skips']);
  assert.deepEqual(parsed(facts.didNotRun), {
    a: { reason: 'RULE_FAILED', details: 'ä'.repeat(factDetailsBytesMax / 2) },
  });
  assert.deepEqual(parsed(facts.skipped?.rules), { b: { reason: 'X', details: '' } });
});

test('as many silent rules as there may be are kept, and one more is not', () => {
  const skips = (count: number) => Array.from({ length: count }, (_, at) => skip(`r${at}`, 'RULE_FAILED', ''));
  const within = factsOf({ skips: skips(factRulesMax) });
  assert.deepEqual([Object.keys(parsed(within.didNotRun) as object).length, within.ignored], [factRulesMax, []]);
  const beyond = factsOf({ skips: skips(factRulesMax + 1) });
  assert.deepEqual([Object.keys(parsed(beyond.didNotRun) as object).length, beyond.ignored], [factRulesMax, ['skips']]);
});

test('a rule of the name of an object’s own property is a rule like any other', () => {
  const facts = factsOf({ skips: [skip('__proto__', 'RULE_FAILED'), skip('constructor', 'RULE_FAILED')] });
  assert.deepEqual(Object.keys(parsed(facts.didNotRun) as object).sort(), ['__proto__', 'constructor']);
});

test('of skips that cannot be read every rule of the catalogue may be one, and none of them closes an issue', () => {
  const headers = catalogueHeaders('v', '["a","b","c"]');
  const doubted = { reason: 'RULE_FAILED', details: 'the skips of its report cannot be read' };
  const cases: readonly (readonly [unknown, object])[] = [
    ['no list', { a: doubted, b: doubted, c: doubted }],
    [[skip('a', 'X', 'x'.repeat(factPartBytesMax))], { a: doubted, b: doubted, c: doubted }],
    [[skip('a', 'INPUT_BROKEN'), skip('b', 'X'), 7], { a: { reason: 'INPUT_BROKEN', details: 'why' }, c: doubted }],
  ];
  for (const [skips, didNotRun] of cases) {
    assert.deepEqual(parsed(factsOf({ skips }, { headers }).didNotRun), didNotRun);
  }
  assert.equal(factsOf({ skips: 'no list' }).didNotRun, undefined, 'nothing is known of another pipeline');
  assert.equal(factsOf({}, { headers }).didNotRun, undefined, 'no skips are none');
});
