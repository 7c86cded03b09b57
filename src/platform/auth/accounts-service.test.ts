/** What an accounts service is asked, what becomes of its answers, and that it is not asked too much. Source: ingress.md C.2. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type TestContext, test } from 'node:test';
import { firstCertificate, secondCertificate } from '../../../test/support/certificates.ts';
import { cluster, otherCluster, sha256 } from '../../../test/support/operator-tokens.ts';
import { temporaryFile } from '../../../test/support/temporary-folder.ts';
import { listening } from '../../../test/support/test-server.ts';
import { until } from '../../../test/support/until.ts';
import { createManualClock } from '../clock/manual-clock.ts';
import { KeptAnswers, openAccountsService } from './accounts-service.ts';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const account = (orgId: unknown = '7', accountNumber: unknown = '22'): Answer => {
  const body = JSON.stringify({ organization: { external_id: orgId, ebs_account_id: accountNumber } });
  return (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(body);
};
const status =
  (code: number): Answer =>
  (response) =>
    void response.writeHead(code).end('{"kind":"Error"}');

async function start(t: TestContext, first: Answer = account()) {
  const asked: (string | undefined)[] = [];
  const events: string[] = [];
  const service = { answer: first };
  const server = createServer((request, response) => {
    asked.push(request.headers.authorization);
    service.answer(response, request);
  });
  const { port, close } = await listening(server);
  t.after(close);
  const clock = createManualClock();
  const accounts = await openAccountsService({
    ...{ url: `http://127.0.0.1:${port}/current_account`, caFile: '', clock },
    events: {
      onAsked: (outcome) => events.push(outcome),
      onAway: () => events.push('away'),
      onBack: () => events.push('back'),
    },
  });
  return { accounts, asked, events, clock, service };
}

test('a token is the cluster’s that it was asked for, and a good answer holds for two hours', async (t) => {
  const { accounts, asked, clock, service } = await start(t);
  const owner = {
    ...{ sha256: sha256('good'), orgId: '7', accountNumber: '22', clusterId: cluster, scopes: ['cluster'], name: '' },
  };
  assert.deepEqual(await accounts.find('good', cluster), owner);
  assert.deepEqual(await accounts.find('good', cluster), owner);
  assert.deepEqual(asked, [`AccessToken ${cluster}:good`]);
  service.answer = status(403);
  assert.equal(await accounts.find('good', otherCluster), undefined, 'another cluster is another question');
  await clock.advance(2 * 3_600_000 - 1);
  assert.deepEqual(await accounts.find('good', cluster), owner);
  await clock.advance(1);
  assert.equal(await accounts.find('good', cluster), undefined);
});

test('a bad answer holds for a minute', async (t) => {
  const { accounts, asked, clock, service } = await start(t);
  for (const code of [400, 401, 403, 404]) {
    service.answer = status(code);
    assert.equal(await accounts.find(`bad ${code}`, cluster), undefined);
  }
  service.answer = account();
  await clock.advance(59_999);
  assert.equal(await accounts.find('bad 401', cluster), undefined);
  assert.equal(asked.length, 4);
  await clock.advance(1);
  assert.equal((await accounts.find('bad 401', cluster))?.orgId, '7');
});

test('what says neither is no answer, and is not kept: known tokens go on, others wait', async (t) => {
  const { accounts, events, service } = await start(t);
  await accounts.find('known', cluster);
  for (const [title, answer] of Object.entries({
    'a server error': status(500),
    'too many questions': status(429),
    'a redirect': status(302),
    'no JSON': ((response) => void response.end('<html>')) as Answer,
    'no organization': account(null),
    'an organization that no report can carry': account('2147483648'),
    'a number': account(7),
    'the connection closed': ((response) => void response.destroy()) as Answer,
    'an answer without end': ((response) => void response.end('x'.repeat(70_000))) as Answer,
  })) {
    service.answer = answer;
    await assert.rejects(accounts.find('unknown', cluster), { code: 'ACCOUNTS_UNAVAILABLE', retryable: true }, title);
    assert.equal((await accounts.find('known', cluster))?.orgId, '7', title);
  }
  assert.match(accounts.trouble() ?? '', /does not answer/);
  service.answer = account('7', null);
  assert.equal((await accounts.find('unknown', cluster))?.accountNumber, '');
  assert.equal(accounts.trouble(), undefined);
  assert.deepEqual(
    events.filter((event) => ['away', 'back'].includes(event)),
    ['away', 'back'],
    'said once',
  );
});

test('one question at a time for a token, eight in all, and no more than so many wait', async (t) => {
  const held: ServerResponse[] = [];
  const { accounts, asked, events, service } = await start(t, (response) => void held.push(response));
  const same = Array.from({ length: 5 }, () => accounts.find('one', cluster));
  const clusters = Array.from({ length: 5 }, (_, index) => `84ef291d-8f1b-4d28-ab34-cfddff941c0${index}`);
  const ofOne = clusters.map((id) => accounts.find('one', id));
  const results = Promise.allSettled(ofOne);
  const others = Array.from({ length: 30 }, (_, index) => accounts.find(`other ${index}`, cluster));
  const otherResults = Promise.allSettled(others);
  await until(() => asked.length === 8);
  assert.equal(asked.filter((text) => text?.endsWith(':one')).length, 1);
  service.answer = account();
  for (const response of held) account()(response, response.req);
  assert.deepEqual(new Set((await Promise.all(same)).map((owner) => owner?.clusterId)), new Set([cluster]));
  // Three more of the token may wait, and 28 of others beside them.
  assert.deepEqual(
    (await results).map((result) =>
      result.status === 'fulfilled' ? 'told' : (result.reason as { code: string }).code,
    ),
    ['told', 'told', 'told', 'ACCOUNTS_BUSY', 'ACCOUNTS_BUSY'],
  );
  assert.equal((await otherResults).filter(({ status: how }) => how === 'rejected').length, 2);
  assert.deepEqual([asked.length, events.filter((event) => event === 'busy').length], [32, 4]);
  assert.equal((await accounts.find('later', cluster))?.orgId, '7', 'everybody has left');
});

test('answers are so many and no more: the oldest goes', async () => {
  const answers = new KeptAnswers<number>({ keptMs: 1_000, countMax: 90_000, clock: createManualClock() });
  for (let index = 0; index <= 90_000; index += 1) answers.keep(String(index), index);
  assert.equal(answers.get('0'), undefined);
  assert.deepEqual([answers.get('1')?.answer, answers.get('90000')?.answer], [1, 90_000]);
});

test('tokens are sent to whom the authority vouches for, and to nobody in the clear', async (t) => {
  const server = createTlsServer({ ...firstCertificate }, (request, response) => account()(response, request));
  const { port, close } = await listening(server);
  t.after(close);
  const clock = createManualClock();
  const events = { onAsked: () => undefined, onAway: () => undefined, onBack: () => undefined };
  const open = (url: string, caFile = '') => openAccountsService({ url, caFile, clock, events });
  const url = `https://127.0.0.1:${port}/`;
  const trusting = await open(url, temporaryFile('ca.crt', firstCertificate.cert));
  assert.equal((await trusting.find('good', cluster))?.orgId, '7');
  for (const other of [await open(url), await open(url, temporaryFile('ca.crt', secondCertificate.cert))])
    await assert.rejects(other.find('good', cluster), { code: 'ACCOUNTS_UNAVAILABLE' });
  for (const bad of ['http://accounts.example/', 'accounts.example', 'ftp://127.0.0.1/'])
    await assert.rejects(open(bad), { code: 'CONFIG_INVALID' }, bad);
  await assert.rejects(open(url, '/nonexistent'), { code: 'ACCOUNTS_CA_UNREADABLE' });
});
