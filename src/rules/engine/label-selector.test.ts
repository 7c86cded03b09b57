/** Label selectors: each operator, all of them together, and what is none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../encoding/json-text.ts';
import { selects } from './label-selector.ts';

const labels = { pool: 'worker', custom: '' };
const expression = (key: string, operator: string, ...values: string[]) => ({
  matchExpressions: [{ key, operator, values }],
});

for (const [title, selector, expected] of [
  ['nothing', {}, false],
  ['empty members', { matchLabels: {}, matchExpressions: [] }, false],
  ['a label', { matchLabels: { pool: 'worker' } }, true],
  ['a label of no value', { matchLabels: { custom: '' } }, true],
  ['another value', { matchLabels: { pool: 'master' } }, false],
  ['a label that is not there', { matchLabels: { infra: '' } }, false],
  ['one label of two', { matchLabels: { pool: 'worker', infra: '' } }, false],
  ['one of values', expression('pool', 'In', 'master', 'worker'), true],
  ['none of values', expression('pool', 'In', 'master'), false],
  ['not one of values', expression('pool', 'NotIn', 'worker'), false],
  ['not one of values, without the label', expression('infra', 'NotIn', 'worker'), true],
  ['a label that is there', expression('custom', 'Exists'), true],
  ['a label that must not be there', expression('custom', 'DoesNotExist'), false],
  ['an operator that does not exist', expression('pool', 'Like', 'worker'), false],
  ['a label and an expression', { matchLabels: { pool: 'worker' }, ...expression('custom', 'DoesNotExist') }, false],
  ['members of other types', { matchLabels: 'pool', matchExpressions: 7 }, false],
  ['what every object inherits', { matchLabels: { toString: 'x' } }, false],
] as const) {
  test(`a selector of ${title} ${expected ? 'selects' : 'does not select'}`, () =>
    assert.equal(selects(selector as unknown as JsonObject, labels), expected));
}
