/** Nobody waits for a place because of what others sent before, and nobody holds all of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Place, Places } from './places.ts';

const never = new AbortController().signal;

function make(placesMax = 4, perOrganizationMax = 3, furtherAttemptsMax = 2) {
  const passedOver: number[] = [];
  const places = new Places({
    placesMax,
    perOrganizationMax,
    furtherAttemptsMax,
    onPassedOver: (orgId) => passedOver.push(orgId),
  });
  const order: string[] = [];
  const held = new Map<string, Place>();
  /** Asks for a place; its name is noted when it has one. */
  const ask = (name: string, orgId: number, isFurtherAttempt = false, signal = never) =>
    places.acquire(orgId, isFurtherAttempt, signal).then((place) => {
      order.push(name);
      held.set(name, place);
    });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { places, ask, order, passedOver, settle, leave: (name: string) => held.get(name)!.release(), held };
}

test('an organization with many announcements leaves places for others, who get one at once', async () => {
  const { places, ask, order, settle, passedOver } = make();
  for (let index = 0; index < 100; index += 1) void ask(`flood ${index}`, 666);
  await settle();
  assert.equal(places.inUse(), 3);
  await ask('good', 1);
  assert.deepEqual(order, ['flood 0', 'flood 1', 'flood 2', 'good']);
  assert.deepEqual(passedOver, [666]);
});

test('of those that wait the organization with the fewest places is next, then the one served longest ago', async () => {
  const { ask, order, settle, leave } = make(2, 2);
  await ask('a1', 1);
  await ask('a2', 1);
  for (const name of ['a3', 'a4']) void ask(name, 1);
  for (const name of ['b1', 'b2']) void ask(name, 2);
  void ask('c1', 3);
  for (const name of ['a1', 'a2', 'b1', 'c1', 'a3']) {
    leave(name);
    await settle();
  }
  assert.deepEqual(order.slice(2), ['b1', 'c1', 'a3', 'b2', 'a4']);
});

test('first attempts come before further ones, which hold only their share', async () => {
  const { places, ask, order, settle, leave } = make(4, 4, 2);
  for (const name of ['again 1', 'again 2', 'again 3']) void ask(name, 1, true);
  await settle();
  assert.deepEqual(order, ['again 1', 'again 2']);
  void ask('new 1', 1);
  void ask('new 2', 1);
  await settle();
  assert.deepEqual([order.slice(2), places.inUse()], [['new 1', 'new 2'], 4]);
  void ask('new 3', 1);
  leave('again 1');
  await settle();
  leave('again 2');
  await settle();
  assert.deepEqual(order.slice(4), ['new 3', 'again 3']);
});

test('who gives up leaves the line, a place is given back once, and nothing is remembered of who is gone', async () => {
  const { places, ask, order, settle, leave } = make(1, 1);
  await ask('first', 1);
  const impatient = new AbortController();
  const gone = assert.rejects(ask('gone', 1, false, impatient.signal), { name: 'AbortError' });
  void ask('next', 2);
  impatient.abort();
  await gone;
  leave('first');
  leave('first');
  await settle();
  assert.deepEqual([order, places.inUse()], [['first', 'next'], 1]);
  leave('next');
  assert.equal(places.inUse(), 0);
  await assert.rejects(ask('late', 1, false, impatient.signal), { name: 'AbortError' });
});

test('a place counts as waiting while the work in it does, also when the wait fails', async () => {
  const { places, ask, held } = make();
  await ask('one', 1);
  const wait = Promise.withResolvers<void>();
  const during = held.get('one')!.during(wait.promise);
  assert.equal(places.waiting(), 1);
  wait.reject(new Error('given up'));
  await assert.rejects(during, /given up/);
  assert.equal(places.waiting(), 0);
});
