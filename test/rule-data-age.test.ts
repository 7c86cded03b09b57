/** Data files of the rule catalog that are too old are found, at the limit and beyond it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { isOutdated, ruleDataAges, ruleDataDaysMax } from '../scripts/rule-data-age.ts';
import { CATALOG_CONTENT_ROOT } from '../src/rules/catalog/content-root.ts';

const now = new Date('2026-11-26T12:00:00Z');

test('every part with a date has an age, named by its file and where it stands', () => {
  const document = {
    date: '2026-11-25',
    rules: { a: { date: '2026-11-26', ranges: [] }, b: [{ date: 'soon' }] },
    c: null,
  };
  assert.deepEqual(ruleDataAges('x.yaml', document, now), [
    { what: 'x.yaml', days: 1 },
    { what: 'x.yaml rules.a', days: 0 },
    { what: 'x.yaml rules.b.0', days: undefined },
  ]);
});

test('half a year is not too old, a day more is, and so is what does not say', () => {
  assert.equal(isOutdated({ what: 'x', days: ruleDataDaysMax }), false);
  assert.equal(isOutdated({ what: 'x', days: ruleDataDaysMax + 1 }), true);
  for (const document of [null, 'text', {}, { date: '2026-13-45' }, { date: 'yesterday' }]) {
    assert.deepEqual(ruleDataAges('x.yaml', document, now).map(isOutdated), [true]);
  }
});

test('every data file of the catalog says when it was looked up', () => {
  const files = readdirSync(CATALOG_CONTENT_ROOT).filter((name) => name.endsWith('.yaml') && name !== 'config.yaml');
  assert.ok(files.includes('life-cycle.yaml'));
  for (const file of files) {
    const ages = ruleDataAges(file, parse(readFileSync(join(CATALOG_CONTENT_ROOT, file), 'utf8')), now);
    for (const { what, days } of ages) assert.notEqual(days, undefined, what);
  }
});
