/** A host that does not answer is asked by one announcement at a time, and nobody is kept from one that does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { HostBreaker, hostProbeMsMax } from './host-breaker.ts';

const never = new AbortController().signal;
const host = 'store.example.com';

function make() {
  const clock = { ...createManualClock(), random: () => 1 };
  const told: string[] = [];
  const breaker = new HostBreaker({
    clock,
    onOpened: (name) => told.push(`${name} away`),
    onClosed: (name) => told.push(`${name} back`),
  });
  const open = () => {
    for (const announcement of [1, 2, 3]) breaker.ended(host, announcement, false, 'failed');
  };
  return { clock, told, breaker, open };
}

/** Asks, and notes as what it was admitted. */
function asking(breaker: HostBreaker, signal = never) {
  const asked: { admittedAs?: boolean } = {};
  const done = breaker.admit(host, signal).then((isProbe) => {
    asked.admittedAs = isProbe;
  });
  return Object.assign(asked, { done });
}

test('one announcement that fails again and again leaves its host to others; failures of several do not', () => {
  const { breaker, told } = make();
  for (let attempt = 0; attempt < 10; attempt += 1) breaker.ended(host, 'the same', false, 'failed');
  assert.equal(breaker.isOpen(host), false);
  breaker.ended(host, 'another', false, 'failed');
  breaker.ended(host, 'a third', false, 'failed');
  assert.deepEqual([breaker.isOpen(host), breaker.open(), told], [true, [host], [`${host} away`]]);
  assert.equal(breaker.isOpen('elsewhere'), false);
});

test('an answer in between begins the count anew, and one that says nothing of the host does not count', () => {
  const { breaker } = make();
  breaker.ended(host, 1, false, 'failed');
  breaker.ended(host, 2, false, 'failed');
  breaker.ended(host, 3, false, 'unknown');
  breaker.ended(host, 3, false, 'answered');
  breaker.ended(host, 4, false, 'failed');
  assert.equal(breaker.isOpen(host), false);
});

test('while it is away one at a time looks whether it is back, with growing pauses up to the bound', async () => {
  const { breaker, clock, open } = make();
  open();
  const waiting = [1, 2, 3].map(() => asking(breaker));
  await clock.advance(0);
  assert.deepEqual(
    waiting.map(({ admittedAs }) => admittedAs),
    [undefined, undefined, undefined],
  );
  await clock.advance(500);
  assert.deepEqual(
    waiting.map(({ admittedAs }) => admittedAs),
    [true, undefined, undefined],
  );
  breaker.ended(host, 4, true, 'failed');
  await clock.advance(999);
  assert.equal(waiting[1]!.admittedAs, undefined);
  await clock.advance(1);
  assert.equal(waiting[1]!.admittedAs, true);
  for (let probe = 0; probe < 10; probe += 1) {
    breaker.ended(host, 5, true, 'failed');
    const next = asking(breaker);
    await clock.advance(hostProbeMsMax);
    assert.ok([waiting[2]!.admittedAs, next.admittedAs].includes(true));
  }
  breaker.stop();
});

test('the first answer lets all others go on, as attempts like any other', async () => {
  const { breaker, clock, open, told } = make();
  open();
  const waiting = [1, 2, 3].map(() => asking(breaker));
  await clock.advance(500);
  breaker.ended(host, 4, true, 'answered');
  await Promise.all(waiting.map(({ done }) => done));
  assert.deepEqual(
    waiting.map(({ admittedAs }) => admittedAs),
    [true, false, false],
  );
  assert.deepEqual(told, [`${host} away`, `${host} back`]);
  assert.equal(await breaker.admit(host, never), false);
});

test('who looks and gives up hands on to the next; who waits and gives up leaves the line', async () => {
  const { breaker, clock, open } = make();
  open();
  const first = asking(breaker);
  const impatient = new AbortController();
  const gone = asking(breaker, impatient.signal);
  const second = asking(breaker);
  impatient.abort();
  await assert.rejects(gone.done, { name: 'AbortError' });
  await clock.advance(500);
  assert.equal(first.admittedAs, true);
  breaker.ended(host, 4, true, 'unknown');
  await clock.advance(0);
  assert.equal(second.admittedAs, true);
  breaker.ended(host, 5, true, 'unknown');
  assert.equal(await breaker.admit(host, never), true, 'with nobody waiting the next one looks');
});

test('an attempt from before it was left alone ends without a word about it', async () => {
  const { breaker, clock, open } = make();
  open();
  const probe = asking(breaker);
  await clock.advance(500);
  breaker.ended(host, 'late', false, 'failed');
  const other = asking(breaker);
  await clock.advance(hostProbeMsMax);
  assert.deepEqual([probe.admittedAs, other.admittedAs], [true, undefined]);
});
