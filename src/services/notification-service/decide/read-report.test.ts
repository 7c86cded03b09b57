/** What a stored report may look like, and what of it counts (notification-service.md 8.1). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { issueKeyBytesMax, readReport, reportIssuesMax } from './read-report.ts';
import { detailsByPosition, withoutElements } from './report-slices.ts';

function issuesOf(text: string) {
  const read = readReport(text);
  assert.equal(read.kind, 'read');
  return read.kind === 'read' ? read.issues : [];
}

function refusalOf(text: string): string {
  const read = readReport(text);
  assert.equal(read.kind, 'unreadable', text.slice(0, 80));
  return read.kind === 'unreadable' ? read.error.message : '';
}

test('type, component and key are read and everything else is left alone', () => {
  const text =
    '{"reports":[{"rule_id":"r|K","type":"rule","component":"a.b.r.report","key":"K","details":{"x":1.0},"tags":[]}]}';
  assert.deepEqual(issuesOf(text), [{ type: 'rule', component: 'a.b.r.report', errorKey: 'K', position: 0 }]);
});

test('a report without issues is empty, not wrong', () => {
  for (const text of ['{}', 'null', '{"reports":null}', '{"reports":[]}']) assert.deepEqual(issuesOf(text), []);
});

test('text that is not a report is unreadable', () => {
  for (const text of [
    '',
    '{"reports":[]} x',
    '[]',
    '"a"',
    '1',
    '{"reports":{}}',
    '{"reports":1}',
    '{"reports":[1]}',
    '{"reports":[[]]}',
  ]) {
    refusalOf(text);
  }
  for (const field of ['type', 'component', 'key']) refusalOf(JSON.stringify({ reports: [{ [field]: 1 }] }));
});

test('service Q7: null elements are skipped and missing members are empty text', () => {
  const issues = issuesOf('{"reports":[null,{"key":"K","type":null}]}');
  assert.deepEqual(issues, [{ type: '', component: '', errorKey: 'K', position: 1 }]);
});

test('an issue that occurs twice counts once', () => {
  const issue = { type: 'rule', component: 'c', key: 'K' };
  const issues = issuesOf(JSON.stringify({ reports: [issue, { ...issue, details: 2 }, { ...issue, key: 'L' }] }));
  assert.deepEqual(
    issues.map((found) => [found.errorKey, found.position]),
    [
      ['K', 0],
      ['L', 2],
    ],
  );
});

test('G12: names that objects inherit are not members', () => {
  assert.deepEqual(issuesOf('{"__proto__":{"reports":[{"key":"K"}]}}'), []);
  assert.deepEqual(issuesOf('{"reports":[{"__proto__":{"key":"K"}}]}')[0]?.errorKey, '');
});

test('G11: a key up to the limit is read, one byte more is refused, a NUL is refused, a lone surrogate is replaced', () => {
  const key = (length: number) => JSON.stringify({ reports: [{ key: 'k'.repeat(length) }] });
  assert.equal(issuesOf(key(issueKeyBytesMax)).length, 1);
  assert.match(refusalOf(key(issueKeyBytesMax + 1)), /1501 bytes/);
  assert.match(refusalOf('{"reports":[{"key":"a\\u0000b"}]}'), /NUL/);
  assert.equal(issuesOf('{"reports":[{"key":"a\\ud800"}]}')[0]?.errorKey, 'a\ufffd');
});

test('as many issues as the limit are read, one more is refused', () => {
  const report = (count: number) =>
    `{"reports":[${Array.from({ length: count }, (_, n) => `{"key":"${n}"}`).join(',')}]}`;
  assert.equal(issuesOf(report(reportIssuesMax)).length, reportIssuesMax);
  assert.match(refusalOf(report(reportIssuesMax + 1)), /more than 10000/);
});

test('G12: deep nesting neither overflows the stack nor hides an issue', () => {
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
  const text = `{"reports":[{"key":"K","details":${deep}}]}`;
  assert.equal(issuesOf(text).length, 1);
  assert.equal(detailsByPosition(text, new Set([0])).get(0), deep);
});

test('G12: details keep every byte: large integers, fractions, escapes, spaces', () => {
  const details = '{ "n": 12345678901234567890, "f":1.0, "s":"\\"}],{\\\\", "u":"\\u00e9é" }';
  const text = ` {"a":"]", "reports" : [ null , {"key":"K" , "details" : ${details} , "x":[{}]}, {"key":"L"} ] , "z":1}`;
  const found = detailsByPosition(text, new Set([1, 2]));
  assert.equal(found.get(1), details);
  assert.equal(found.get(2), 'null');
});

test('removing issues keeps the rest of the report as it is', () => {
  const text = '{"a":1.0,"reports":[{"key":"K"},{"key":"L"} , {"key":"M"}],"z":[ 2 ]}';
  assert.equal(
    withoutElements(text, (position) => position === 0),
    '{"a":1.0,"reports":[{"key":"L"},{"key":"M"}],"z":[ 2 ]}',
  );
  assert.equal(
    withoutElements(text, () => true),
    '{"a":1.0,"reports":[],"z":[ 2 ]}',
  );
  assert.equal(
    withoutElements('{"reports":[]}', () => true),
    '{"reports":[]}',
  );
});

test('for any report, slicing agrees with parsing', () => {
  const report = fc.record({
    before: fc.jsonValue(),
    reports: fc.array(
      fc.oneof(fc.constant(null), fc.record({ key: fc.string(), details: fc.jsonValue(), more: fc.jsonValue() })),
    ),
    behind: fc.jsonValue(),
  });
  fc.assert(
    fc.property(
      report,
      fc.integer({ min: 0, max: 5 }),
      fc.constantFrom(undefined, 1, '\t'),
      (value, removed, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        const details = detailsByPosition(text, new Set(value.reports.keys()));
        for (const [position, element] of value.reports.entries()) {
          assert.deepEqual(
            JSON.parse(details.get(position)!),
            element === null ? null : JSON.parse(JSON.stringify(element.details)),
          );
        }
        const expected = { ...value, reports: value.reports.filter((_, position) => position !== removed) };
        assert.deepEqual(
          JSON.parse(withoutElements(text, (position) => position === removed)),
          JSON.parse(JSON.stringify(expected)),
        );
      },
    ),
  );
});
