/** Whoever has used least is next, whatever he sent before and however long he was away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FairShare } from './fair-share.ts';

/** Serves jobs one at a time until as many are served; answers with the owners in order. Each owner always has one waiting. */
function serve(share: FairShare, costs: Readonly<Record<string, number>>, jobs: number): string[] {
  const owners = Object.keys(costs);
  for (const owner of owners) share.arrived(owner);
  return Array.from({ length: jobs }, () => {
    const owner = owners[share.next(owners)]!;
    const charged = share.started(owner);
    share.arrived(owner);
    share.ended(owner, costs[owner]!, charged);
    return owner;
  });
}

test('owners get the same amount, however costly the jobs of each are', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 5 }), (costs) => {
      const byOwner = Object.fromEntries(costs.map((cost, index) => [`owner ${index}`, cost]));
      const served = serve(new FairShare(), byOwner, 2_000);
      const used = Object.entries(byOwner).map(([owner, cost]) => cost * served.filter((one) => one === owner).length);
      assert.ok(Math.max(...used) - Math.min(...used) <= 2 * Math.max(...costs), used.join());
    }),
    { numRuns: 100 },
  );
});

test('who comes while another has many waiting is next, also before anything was measured', () => {
  const share = new FairShare();
  for (let job = 0; job < 10; job += 1) share.arrived('flood');
  share.started('flood');
  share.started('flood');
  share.arrived('good');
  assert.equal(share.next(['flood', 'flood', 'good']), 2);
});

test('who was away has saved nothing up: he does not block those who were there', () => {
  const share = new FairShare();
  serve(share, { busy: 10 }, 100);
  share.arrived('back');
  const served = serve(share, { busy: 10, back: 10 }, 10);
  assert.ok(served.filter((owner) => owner === 'busy').length >= 4, served.join());
});

test('who took more than was charged waits until the others have caught up', () => {
  const share = new FairShare();
  for (const owner of ['greedy', 'modest']) share.arrived(owner);
  share.arrived('greedy');
  share.ended('greedy', 1_000, share.started('greedy'));
  const owners = ['greedy', 'modest'];
  for (let job = 0; job < 99; job += 1) {
    assert.equal(owners[share.next(owners)], 'modest');
    share.arrived('modest');
    share.ended('modest', 10, share.started('modest'));
  }
});

test('whoever is gone is forgotten as soon as the others have used as much', () => {
  const share = new FairShare();
  for (let owner = 0; owner < 1_000; owner += 1) {
    share.arrived(`${owner}`);
    share.ended(`${owner}`, 5, share.started(`${owner}`));
  }
  share.arrived('left');
  share.left('left');
  serve(share, { last: 10 }, 3);
  assert.ok(share.size() <= 1, `${share.size()}`);
});
