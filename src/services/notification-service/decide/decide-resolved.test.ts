/** Over everything that can stand against it: whether a target is notified that an issue is resolved. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideResolved, type ResolvedSituation } from './decide-resolved.ts';

const fine: ResolvedSituation = { isBack: false, allowed: true, disabled: undefined, verdict: { kind: 'pass' } };
const against: readonly (readonly [Partial<ResolvedSituation>, string])[] = [
  [{ isBack: true }, 'back'],
  [{ allowed: false }, 'cluster-not-allowed'],
  [{ disabled: 'disabled-by-org' }, 'disabled-by-org'],
  [{ verdict: { kind: 'below-threshold' } }, 'below-threshold'],
];

test('it is, where nothing stands against it', () => {
  assert.equal(decideResolved(fine), undefined);
});

test('of what stands against it the first counts, in this order', () => {
  for (const [first, [change, reason]] of against.entries()) {
    assert.equal(decideResolved({ ...fine, ...change }), reason);
    const all = Object.assign({ ...fine }, ...against.slice(first).map(([more]) => more)) as ResolvedSituation;
    assert.equal(decideResolved(all), reason);
  }
});
