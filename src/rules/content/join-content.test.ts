/** Hosted content beside our own: whose counts, by rule. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentOf } from '../../../test/support/notification-content.ts';
import type { RuleContentDirectory } from '../../contracts/rule-content.ts';
import { createJoinedContent } from './join-content.ts';

/** Rules by name, each with its error keys and who says so. */
function directory(who: string, rules: Readonly<Record<string, readonly string[]>>): RuleContentDirectory {
  const entries = Object.entries(rules).map(([name, keys]) => {
    const { test_rule: rule } = contentOf(Object.fromEntries(keys.map((key) => [key, { risk: 1 }]))).rules;
    const errorKeys = Object.entries(rule!.error_keys).map(([key, content]) => [key, { ...content, reason: who }]);
    return [name, { ...rule!, reason: who, error_keys: Object.fromEntries(errorKeys) }];
  });
  return {
    config: { impact: { [who]: 1, both: who.length }, resolution_risk: {} },
    rules: Object.fromEntries(entries),
  };
}

function joinContent(first: RuleContentDirectory, second: RuleContentDirectory, exceptions: readonly string[]) {
  const source = (content: RuleContentDirectory) => ({ load: async () => content });
  return createJoinedContent({ first: source(first), second: source(second), exceptions }).load();
}

/** Who says what: of a rule, then of each of its error keys. */
function said({ rules }: RuleContentDirectory) {
  return Object.fromEntries(
    Object.entries(rules).map(([name, rule]) => [
      name,
      [rule.reason, Object.fromEntries(Object.entries(rule.error_keys).map(([key, { reason }]) => [key, reason]))],
    ]),
  );
}

const own = directory('own', { shared: ['A', 'B'], ours: ['A'], swapped: ['A'] });
const hosted = directory('hosted', { shared: ['B', 'C'], theirs: ['A'], swapped: ['A'] });

test('every rule of both is there; of a shared one the first counts, of an exception the other', async () => {
  assert.deepEqual(said(await joinContent(own, hosted, ['swapped', 'unheard_of'])), {
    shared: ['own', { A: 'own', B: 'own', C: 'hosted' }],
    ours: ['own', { A: 'own' }],
    swapped: ['hosted', { A: 'hosted' }],
    theirs: ['hosted', { A: 'hosted' }],
  });
  assert.deepEqual(said(await joinContent(hosted, own, []))['shared'], [
    'hosted',
    { A: 'own', B: 'hosted', C: 'hosted' },
  ]);
});

test('names of impacts are joined likewise', async () => {
  assert.deepEqual((await joinContent(own, hosted, [])).config.impact, { own: 1, hosted: 1, both: 3 });
});

test('a rule that is exempt and known to one side only stays', async () => {
  assert.deepEqual(said(await joinContent(own, hosted, ['ours', 'theirs']))['ours'], ['own', { A: 'own' }]);
});

test('names that JavaScript knows are rules like others', async () => {
  const odd = directory('own', { constructor: ['A'], toString: ['A'] });
  assert.deepEqual(said(await joinContent(odd, hosted, []))['constructor'], ['own', { A: 'own' }]);
});

test('without one of them there is none', async () => {
  const away = { load: () => Promise.reject(new Error('away')) };
  const there = { load: async () => own };
  await assert.rejects(createJoinedContent({ first: there, second: away, exceptions: [] }).load(), /away/);
  await assert.rejects(createJoinedContent({ first: away, second: there, exceptions: [] }).load(), /away/);
});
