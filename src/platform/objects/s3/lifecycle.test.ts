/** Which rules of a bucket take archives away before their announcements are gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeLifecycle } from './lifecycle.ts';

const day = 24 * 3_600_000;
const rule = (Days: number, Filter: { Prefix?: string; Tag?: object } = {}, Status = 'Enabled') => ({
  ...{ ID: `after-${Days}`, Status, Filter, Expiration: { Days } },
});

const cases: readonly [string, Parameters<typeof judgeLifecycle>, ReturnType<typeof judgeLifecycle>][] = [
  ['no rule', [[], 7 * day], { kind: 'kept-for-ever' }],
  ['a longer one', [[rule(8)], 7 * day], { kind: 'long-enough', keptMs: 8 * day }],
  ['one as long', [[rule(7)], 7 * day], { kind: 'long-enough', keptMs: 7 * day }],
  ['a shorter one', [[rule(30), rule(3)], 7 * day], { kind: 'too-short', keptMs: 3 * day, rule: 'after-3' }],
  ['a shorter one that is off', [[rule(3, {}, 'Disabled')], 7 * day], { kind: 'kept-for-ever' }],
  ['of another folder', [[rule(1, { Prefix: 'logs/' })], 7 * day], { kind: 'kept-for-ever' }],
  [
    'of the waiting announcements',
    [[rule(1, { Prefix: 'outbox/' })], 7 * day],
    { kind: 'too-short', keptMs: day, rule: 'after-1' },
  ],
  ['of some ids', [[rule(1, { Prefix: 'a' })], 7 * day], { kind: 'too-short', keptMs: day, rule: 'after-1' }],
  ['of tagged objects, longer', [[rule(9, { Tag: {} })], 7 * day], { kind: 'kept-for-ever' }],
  ['only of parts', [[{ Status: 'Enabled' }], 7 * day], { kind: 'kept-for-ever' }],
  [
    'a topic that keeps everything',
    [[rule(365)], Number.POSITIVE_INFINITY],
    { kind: 'too-short', keptMs: 365 * day, rule: 'after-365' },
  ],
];

for (const [name, args, expected] of cases) {
  test(`${name}: ${expected.kind}`, () => assert.deepEqual(judgeLifecycle(...args), expected));
}
