/** Kubernetes quantities. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseQuantity } from './nodes.ts';

for (const [text, value] of [
  ['8', 8],
  ['7500m', 7.5],
  ['16409932Ki', 16_803_770_368],
  ['1.5Gi', 1_610_612_736],
  ['2G', 2e9],
  ['2e9', 2e9],
  ['1E', 1e18],
  ['0', 0],
  ['-1k', -1000],
  ['.5', 0.5],
] as const) {
  test(`reads ${text}`, () => assert.equal(parseQuantity(text), value));
}

for (const text of ['', 'many', '8 GB', '1Kb', '1e', '--1', '1e999', '0x10', 'Ki']) {
  test(`refuses "${text}"`, () => assert.equal(parseQuantity(text), undefined));
}
