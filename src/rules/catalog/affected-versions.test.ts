/** Ranges of versions: their bounds, pre-releases, and that each says where it comes from. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultRuleSettings } from '../engine/rule-settings.ts';
import { compareVersions, parseVersion } from '../engine/semantic-version.ts';
import { AFFECTED_VERSIONS, isAffected } from './affected-versions.ts';
import { allRules } from './index-of-rules.ts';

test('a range holds its first version and not the one that it ends before', () => {
  for (const [version, affected] of [
    ['4.3.7', false],
    ['4.3.8', true],
    ['4.3.8-rc.1', true],
    ['4.3.12', true],
    ['4.3.13-rc.0', false],
    ['4.3.13', false],
    ['4.4.8', false],
  ] as const) {
    assert.equal(isAffected('bug_1821905', parseVersion(version)!, defaultRuleSettings), affected, version);
  }
  assert.equal(isAffected('a rule without a range', parseVersion('4.3.8')!, defaultRuleSettings), false);
});

test('every range belongs to a rule, is none that is empty, and says where it comes from and since when', () => {
  for (const [name, { ranges, source, date, ours }] of AFFECTED_VERSIONS) {
    const rule = allRules.find(({ module }) => module.endsWith(`.${name}`));
    assert.ok(rule !== undefined, name);
    assert.ok(ranges.length > 0 && ranges.every(({ from, before }) => compareVersions(from, before) < 0), name);
    assert.ok(source.length > 20, name);
    assert.match(date, /^\d{4}-\d{2}-\d{2}$/, name);
    assert.equal(rule.mark === 'provisional', ours, `${name}: a range of our own makes its rule provisional`);
  }
});
