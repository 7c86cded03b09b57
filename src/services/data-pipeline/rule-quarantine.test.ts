/** A rule that took a runner down is left out where it did, for everybody only when it did so to several parties, and not for ever. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { RuleQuarantine } from './rule-quarantine.ts';

const options = {
  quarantineMs: 1000,
  clustersMin: 3,
  organizationsMin: 3,
  killsPerOrganizationMax: 5,
  killsMax: 8,
};

function make(change: Partial<typeof options> = {}) {
  const clock = createManualClock();
  return { clock, quarantine: new RuleQuarantine({ clock, ...options, ...change }) };
}

const of = (orgId: number, clusterId = 'a') => ({ orgId, clusterId });

test('one kill leaves the rule out for that cluster only', () => {
  const { quarantine } = make();
  assert.equal(quarantine.add('slow', of(1)), false);
  assert.deepEqual([...quarantine.leftOutFor(of(1))], ['slow']);
  assert.deepEqual([...quarantine.leftOutFor(of(1, 'b'))], []);
});

test('a cluster id that somebody else names is not that cluster', () => {
  const { quarantine } = make();
  quarantine.add('slow', of(666));
  assert.deepEqual([...quarantine.leftOutFor(of(1))], []);
});

test('an archive without a cluster id stands for all such archives of its organization', () => {
  const { quarantine } = make();
  quarantine.add('slow', { orgId: 1, clusterId: undefined });
  assert.deepEqual([...quarantine.leftOutFor({ orgId: 1, clusterId: undefined })], ['slow']);
  assert.deepEqual([...quarantine.leftOutFor(of(2))], []);
});

test('kills on ever so many clusters of one organization leave it out for that organization and for nobody else', () => {
  const { quarantine } = make();
  for (let cluster = 0; cluster < 50; cluster += 1) {
    assert.equal(quarantine.add('slow', of(666, `cluster ${cluster}`)), false);
  }
  assert.deepEqual(quarantine.general(), []);
  assert.deepEqual([...quarantine.leftOutFor(of(666, 'another'))], ['slow']);
  assert.deepEqual([...quarantine.leftOutFor(of(1))], []);
});

test('kills in three organizations leave it out for all, told once', () => {
  const { quarantine } = make();
  assert.deepEqual(
    [1, 1, 2, 2, 3, 4].map((orgId) => quarantine.add('slow', of(orgId))),
    [false, false, false, false, true, false],
  );
  assert.deepEqual([...quarantine.leftOutFor(of(9))], ['slow']);
  assert.deepEqual(quarantine.general(), ['slow']);
});

test('all end after their time, and old kills do not count towards new ones', async () => {
  const { clock, quarantine } = make();
  quarantine.add('slow', of(1));
  quarantine.add('slow', of(2));
  await clock.advance(1000);
  assert.deepEqual([...quarantine.leftOutFor(of(1))], []);
  assert.equal(quarantine.add('slow', of(3)), false);
  quarantine.add('slow', of(4));
  assert.equal(quarantine.add('slow', of(5)), true);
  await clock.advance(999);
  assert.deepEqual(quarantine.general(), ['slow']);
  await clock.advance(1);
  assert.deepEqual(quarantine.general(), []);
});

test('an organization pushes out its own oldest kills only, and all together no more than so many are remembered', () => {
  const { quarantine } = make({ clustersMin: 99, organizationsMin: 99 });
  const isLeftOut = (orgId: number, cluster: string) => quarantine.leftOutFor(of(orgId, cluster)).size > 0;
  quarantine.add('slow', of(1));
  for (const cluster of ['a', 'b', 'c', 'd', 'e', 'f']) quarantine.add('slow', of(666, cluster));
  assert.deepEqual([isLeftOut(666, 'a'), isLeftOut(666, 'b'), isLeftOut(1, 'a')], [false, true, true]);
  for (const orgId of [2, 3, 4]) quarantine.add('slow', of(orgId));
  assert.deepEqual([isLeftOut(1, 'a'), isLeftOut(666, 'b'), isLeftOut(4, 'a')], [false, true, true]);
});
