/** The Service Log entry: what is accepted, what is refused, how texts are fitted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  checkServiceLogEntry,
  fitDescription,
  fitSummary,
  parseServiceLogEntry,
  SERVICE_LOG_DESCRIPTION_BYTES_MAX,
  SERVICE_LOG_SUMMARY_BYTES_MAX,
  serialiseServiceLogEntry,
  serviceLogEntryExamples,
  serviceLogSeverity,
} from './service-log-entry.ts';

const url = 'https://console.redhat.com/openshift/insights/advisor/recommendations/ccx_rules_ocp.external.rules.x|KEY';
const tail = `\n\n[More details](${url}).`;
const anyText = fc.string({ unit: 'binary', maxLength: 6000 });

test('every valid example survives the way over the wire unchanged', () => {
  for (const example of serviceLogEntryExamples.valid) {
    assert.deepEqual(parseServiceLogEntry(serialiseServiceLogEntry(example)), example);
  }
});

for (const { why, value } of serviceLogEntryExamples.invalid) {
  test(`an entry is refused before it is sent: ${why}`, () => {
    assert.throws(() => checkServiceLogEntry(value), { code: 'SERVICE_LOG_ENTRY_INVALID' });
  });
}

test('text that is not JSON is refused with the same code', () => {
  assert.throws(() => parseServiceLogEntry('<html>'), { code: 'SERVICE_LOG_ENTRY_INVALID' });
});

test('the members are in the order of the reference, with the stream id behind them', () => {
  const entry = Object.fromEntries(Object.entries(serviceLogEntryExamples.valid[0]!).reverse()) as never;
  const body = serialiseServiceLogEntry(entry);
  assert.deepEqual(Object.keys(JSON.parse(body)), [
    'cluster_uuid',
    'description',
    'service_name',
    'severity',
    'summary',
    'created_by',
    'username',
    'event_stream_id',
  ]);
});

test('total risk 1 to 4 has a severity, anything else has none', () => {
  assert.deepEqual(
    [-1, 0, 1, 2, 3, 4, 5, 1.5, Number.NaN].map((risk) => serviceLogSeverity(risk)),
    [undefined, undefined, 'Info', 'Warning', 'Major', 'Critical', undefined, undefined, undefined],
  );
});

test('a summary is cut at a character and keeps no blanks at its ends', () => {
  assert.equal(fitSummary(`${'a'.repeat(254)}😀`), 'a'.repeat(254));
  assert.equal(fitSummary(`${'a'.repeat(255)}b`), 'a'.repeat(255));
  assert.equal(fitSummary(` ${'a'.repeat(250)}     b`), 'a'.repeat(250));
  assert.equal(fitSummary(' \n '), '');
});

test('a description of exactly 4000 bytes is kept whole, one more byte costs the reason and not the link', () => {
  const room = SERVICE_LOG_DESCRIPTION_BYTES_MAX - Buffer.byteLength(tail);
  assert.equal(fitDescription('a'.repeat(room), url), `${'a'.repeat(room)}${tail}`);
  assert.equal(fitDescription('a'.repeat(room + 1), url), `${'a'.repeat(room)}${tail}`);
  assert.equal(fitDescription(`${'a'.repeat(room - 1)}😀`, url), `${'a'.repeat(room - 1)}${tail}`);
});

test('an empty reason leaves the link alone, and an absurd link is left out', () => {
  assert.equal(fitDescription('', url), tail.trim());
  assert.equal(fitDescription('why', `https://${'x'.repeat(3000)}`), 'why');
});

test('whatever the texts, they are well-formed, fit in bytes, have no trailing blank, and the link is intact', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const description = fitDescription(text, url);
      assert.ok(Buffer.byteLength(description) <= SERVICE_LOG_DESCRIPTION_BYTES_MAX);
      assert.ok(description.endsWith(tail.trim()));
      assert.ok(description.isWellFormed());
      const summary = fitSummary(text);
      assert.ok(Buffer.byteLength(summary) <= SERVICE_LOG_SUMMARY_BYTES_MAX);
      assert.equal(summary, summary.trim());
      assert.ok(text.includes(summary));
    }),
  );
});
