/** Links that a process with ingress in it follows to itself: only those that were signed with its keys. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { startIngressBench } from '../../../test/support/ingress-bench.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { DownloadLinks, SigningKeys } from './download-links.ts';

const dayMs = 24 * 3_600_000;

test('a link of an earlier address leads here again, even when its time is over', async (t) => {
  const bench = await startIngressBench(t);
  const clock = createManualClock();
  const keys = await SigningKeys.open({ objects: bench.objects, clock, configuredKey: '' });
  const links = new DownloadLinks({ baseUrl: () => 'http://earlier:1', keys, lifetimeMs: dayMs, clock });
  for (const id of ['0123456789abcdef', 'an id/with %2F and ?', '100%']) {
    const link = await links.create(id);
    await clock.advance(2 * dayMs);
    const renewed = new URL((await links.renew(link, 'http://here:2'))!);
    assert.equal(await links.renew(link.replace('http://earlier:1', ''), 'http://here:2'), renewed.href);
    assert.equal(renewed.host, 'here:2');
    assert.equal(renewed.pathname, new URL(link).pathname);
    assert.equal(await links.judge(id, new URL(link).searchParams), 'expired');
    assert.equal(await links.judge(id, renewed.searchParams), 'valid');
  }
});

test('the archive of a link of ours is opened where it lies, and of what is reserved or gone nothing is', async (t) => {
  const bench = await startIngressBench(t);
  const keys = await SigningKeys.open({ objects: bench.objects, clock: bench.clock, configuredKey: '' });
  const links = new DownloadLinks({ baseUrl: () => 'http://earlier:1', keys, lifetimeMs: 0, clock: bench.clock });
  await bench.objects.put('an id/with %2F', Buffer.from('archive'));
  const handle = await bench.ingress.openArchive(await links.create('an id/with %2F'));
  assert.equal(await handle?.readFile('utf8'), 'archive');
  await handle?.close();
  await bench.objects.put('outbox/1', Buffer.from('announcement'));
  for (const id of ['outbox/1', 'gone'])
    assert.equal(await bench.ingress.openArchive(await links.create(id)), undefined);
});

test('any other link stays as it is', async (t) => {
  const bench = await startIngressBench(t);
  const clock = createManualClock();
  const keys = await SigningKeys.open({ objects: bench.objects, clock, configuredKey: '' });
  const links = new DownloadLinks({ baseUrl: () => 'http://earlier:1', keys, lifetimeMs: dayMs, clock });
  const link = await links.create('one');
  const forged = [
    link.replace('/one', '/two'),
    link.replace(/expires=\d+/, 'expires=9999999999'),
    link.replace(/&signature=.*/, ''),
    link.replace('/download/', '/elsewhere/'),
    'http://earlier:1/download/one',
    'http://earlier:1/download/%zz?expires=1&signature=00',
    'no link',
    '',
  ];
  for (const other of forged) {
    assert.equal(await links.renew(other, 'http://here:2'), undefined, other);
    assert.equal(await bench.ingress.localLink(other), other);
    assert.equal(await bench.ingress.openArchive(other), undefined, other);
  }
  const unsigned = new DownloadLinks({ baseUrl: () => 'http://earlier:1', keys: undefined, lifetimeMs: dayMs, clock });
  assert.equal(await unsigned.renew(await unsigned.create('one'), 'http://here:2'), undefined);
});

test('a key that a failure left empty or short signs nothing, and keeps nobody from starting', async (t) => {
  const bench = await startIngressBench(t);
  const clock = createManualClock();
  for await (const { key } of bench.objects.list('ingress/signingkey')) await bench.objects.delete(key);
  for (const [name, torn] of [
    ['0', ''],
    ['1', 'short'],
  ] as const)
    await bench.objects.put(`ingress/signingkey${name}`, Buffer.from(torn));
  const keys = await SigningKeys.open({ objects: bench.objects, clock, configuredKey: '' });
  for (const torn of ['', 'short'])
    assert.equal(await keys.verify('text', createHmac('sha256', torn).update('text').digest('hex')), false);
  assert.equal(await keys.verify('text', keys.sign('text')), true);
});
