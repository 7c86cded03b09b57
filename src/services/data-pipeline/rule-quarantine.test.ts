/** A rule that took a runner down is left out where it did, for everybody only when it did so in several places, and not for ever. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { RuleQuarantine } from './rule-quarantine.ts';

function make(options: Partial<ConstructorParameters<typeof RuleQuarantine>[0]> = {}) {
  const clock = createManualClock();
  return {
    clock,
    quarantine: new RuleQuarantine({ clock, quarantineMs: 1000, clustersMin: 3, pairsMax: 5, ...options }),
  };
}

test('one kill leaves the rule out for that cluster only', () => {
  const { quarantine } = make();
  assert.equal(quarantine.add('slow', 'a'), false);
  assert.deepEqual([...quarantine.leftOutFor('a')], ['slow']);
  assert.deepEqual([...quarantine.leftOutFor('b')], []);
});

test('repeated kills on one cluster never make it general', () => {
  const { quarantine } = make();
  for (let kill = 0; kill < 10; kill += 1) assert.equal(quarantine.add('slow', 'a'), false);
  assert.deepEqual(quarantine.general(), []);
});

test('kills on three clusters leave it out for all, told once', () => {
  const { quarantine } = make();
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((cluster) => quarantine.add('slow', cluster)),
    [false, false, true, false],
  );
  assert.deepEqual([...quarantine.leftOutFor('z')], ['slow']);
  assert.deepEqual(quarantine.general(), ['slow']);
});

test('both end after their time, and old kills do not count towards new ones', async () => {
  const { clock, quarantine } = make();
  quarantine.add('slow', 'a');
  quarantine.add('slow', 'b');
  await clock.advance(1000);
  assert.deepEqual([...quarantine.leftOutFor('a')], []);
  assert.equal(quarantine.add('slow', 'c'), false);
  quarantine.add('slow', 'd');
  assert.equal(quarantine.add('slow', 'e'), true);
  await clock.advance(999);
  assert.deepEqual(quarantine.general(), ['slow']);
  await clock.advance(1);
  assert.deepEqual(quarantine.general(), []);
});

test('no more than its number of pairs is remembered, the oldest is forgotten', () => {
  const { quarantine } = make({ clustersMin: 99 });
  for (const cluster of ['a', 'b', 'c', 'd', 'e', 'f']) quarantine.add('slow', cluster);
  assert.deepEqual([...quarantine.leftOutFor('a')], []);
  assert.deepEqual([...quarantine.leftOutFor('b')], ['slow']);
});
