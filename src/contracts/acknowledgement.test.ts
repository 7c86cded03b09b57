/** How people name a rule, and which issues that means. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOfRule, parseSelector, selectorOf } from './acknowledgement.ts';

test('a selector is a module, with or without .report, and perhaps a key', () => {
  const expected: Record<string, string | undefined> = {
    'a.b.rule': 'a.b.rule',
    'a.b.rule.report': 'a.b.rule',
    ' a.b.rule|KEY ': 'a.b.rule|KEY',
    'a.b.rule.report|KEY': 'a.b.rule|KEY',
    'a.b|K E|Y': 'a.b|K E|Y',
    rule: undefined,
    'rule|KEY': undefined,
    'a.b|': undefined,
    '|KEY': undefined,
    'a..b': undefined,
    'a b.c': undefined,
    '': undefined,
  };
  for (const [text, selector] of Object.entries(expected)) {
    const rule = parseSelector(text);
    assert.equal(rule && selectorOf(rule), selector, text);
  }
});

test('a rule without a key means all of its issues, with one only those', () => {
  const issue = { component: 'a.b.rule.report', errorKey: 'KEY' };
  const means = (text: string) => isOfRule(issue, parseSelector(text)!);
  assert.ok(means('a.b.rule') && means('a.b.rule|KEY'));
  assert.ok(!means('a.b.rule|OTHER') && !means('c.b.rule') && !means('b.rule'));
  assert.ok(isOfRule({ ...issue, component: 'a.b.rule' }, parseSelector('a.b.rule|KEY')!));
});
