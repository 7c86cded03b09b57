/** One organization that takes more than its share while others wait is named, and not at every archive. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { OrganizationUsage, type OverShare } from './organization-usage.ts';

function make() {
  const clock = createManualClock();
  const told: OverShare[] = [];
  const usage = new OrganizationUsage({
    clock,
    onOverShare: (over) => told.push(over),
  });
  return { clock, told, usage };
}

test('who took most of the time and is passed over is named, once a minute', async () => {
  const { clock, told, usage } = make();
  for (let archive = 0; archive < 20; archive += 1) usage.add(666, 400);
  usage.add(1, 100);
  usage.passedOver(666);
  usage.passedOver(666);
  assert.deepEqual(told, [{ orgId: 666, cpuMs: 8_000, share: 8_000 / 8_100, organizations: 2 }]);
  await clock.advance(59_000);
  for (let archive = 0; archive < 20; archive += 1) usage.add(666, 400);
  usage.passedOver(666);
  assert.equal(told.length, 1);
  await clock.advance(1_000);
  usage.passedOver(666);
  assert.equal(told.length, 2);
});

test('who took no more than the others, little, or long ago is not named', async () => {
  const { clock, told, usage } = make();
  usage.add(1, 5_000);
  usage.add(2, 4_000);
  usage.passedOver(1);
  await clock.advance(60_001);
  usage.passedOver(1);
  usage.add(3, 900);
  usage.passedOver(3);
  assert.deepEqual(told, []);
});

test('the one who was served before it counts as using, whatever he used', () => {
  const { told, usage } = make();
  usage.add(666, 5_000);
  usage.passedOver(666);
  assert.deepEqual([told[0]?.orgId, told[0]?.organizations], [666, 2]);
});
