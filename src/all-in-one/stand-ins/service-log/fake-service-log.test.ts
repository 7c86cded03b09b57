/** The Service Log stand-in, over the wire: consumers.md 2.6, and the mock of the black-box suite. */
import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryFolder } from '../../../../test/support/temporary-folder.ts';
import { createManualClock } from '../../../platform/clock/manual-clock.ts';
import { callHttp } from '../../../platform/http/http-client.ts';
import { issueToken } from '../json-web-token.ts';
import { startFakeServiceLog } from './fake-service-log.ts';

const cluster = 'd484b150-3106-4d6a-96b4-e03c327a2f66';
const posted = {
  severity: 'Info',
  service_name: 'Insights',
  cluster_uuid: cluster,
  summary: 'Subscription created',
  description: 'Following issues have been found…',
  internal_only: false,
};

async function setUp(t: TestContext, file?: string) {
  const clock = createManualClock('2026-11-21T16:00:00Z');
  const log = await startFakeServiceLog({ clock, file });
  t.after(() => log.stop());
  const call = async (
    path: string,
    options: { method?: 'GET' | 'POST' | 'DELETE'; body?: unknown; token?: string } = {},
  ) => {
    const answer = await callHttp(`${log.url}${path}`, {
      method: options.method ?? 'GET',
      headers: {
        ...(options.token === '' ? {} : { authorization: `Bearer ${options.token ?? 'anything'}` }),
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
    const text = answer.body.toString('utf8');
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      json: () => JSON.parse(text) as Record<string, unknown>,
    };
  };
  const root = '/api/service_logs/v1';
  const post = (change: Readonly<Record<string, unknown>> = {}, token?: string) =>
    call(`${root}/cluster_logs`, {
      method: 'POST',
      body: { ...posted, ...change },
      ...(token === undefined ? {} : { token }),
    });
  return { clock, log, call, post, root };
}

test('a post answers 201 with the entry, its defaults and a sortable id', async (t) => {
  const { post } = await setUp(t);
  const answer = await post();
  assert.equal(answer.status, 201);
  const entry = answer.json();
  assert.match(String(entry['id']), /^[0-9A-Za-z]{27}$/);
  assert.match(String(entry['event_stream_id']), /^[0-9A-Za-z]{27}$/);
  assert.match(String(entry['created_at']), /^2026-11-21T16:00:00\.\d{6}Z$/);
  for (const [name, value] of Object.entries(posted)) assert.equal(entry[name], value, name);
  assert.equal(entry['kind'], 'ClusterLog');
  assert.equal(entry['href'], `/api/service_logs/v1/cluster_logs/${entry['id']}`);
  assert.equal(entry['log_type'], 'General Notification');
});

test('the client may set the stream id, and a token that names its client is recorded as the author', async (t) => {
  const { post } = await setUp(t);
  const token = issueToken({ clientId: 'CCX' });
  const entry = (await post({ event_stream_id: 'mine', created_by: 'me' }, token)).json();
  assert.equal(entry['event_stream_id'], 'mine');
  assert.equal(entry['created_by'], 'service-account-ccx');
});

test('no Authorization answers 401 as the API does, and so does a token that is over', async (t) => {
  const { call, post, clock, root, log } = await setUp(t);
  const answer = await call(`${root}/cluster_logs`, { method: 'POST', body: posted, token: '' });
  assert.equal(answer.status, 401);
  const { operation_id: operation, ...body } = answer.json();
  assert.deepEqual(body, {
    kind: 'Error',
    id: '401',
    href: '/api/service_logs/v1/errors/401',
    code: 'SERVICE-LOGS-401',
    reason: "Request doesn't contain the 'Authorization' header or the 'cs_jwt' cookie",
  });
  assert.equal(answer.headers.get('x-operation-id'), operation);

  const token = issueToken({ exp: clock.now().getTime() / 1000 + 60 });
  assert.equal((await post({}, token)).status, 201);
  await clock.advance(60_000);
  assert.equal((await post({}, token)).status, 401);
  assert.equal(log.entries().length, 1);
});

test('a body that is not right answers 400 and names the member', async (t) => {
  const { post, log } = await setUp(t);
  const wrong: readonly [Readonly<Record<string, unknown>>, RegExp][] = [
    [{ summary: undefined }, /summary/],
    [{ service_name: '' }, /service_name/],
    [{ cluster_uuid: undefined }, /cluster_uuid/],
    [{ summary: 'x'.repeat(256) }, /summary/],
    [{ description: 'ž'.repeat(2001) }, /description/],
    [{ severity: 'Bad' }, /severity/],
    [{ username: 5 }, /username/],
    [{ internal_only: 'yes' }, /internal_only/],
    [{ description: 'a\0b' }, /NUL/],
  ];
  for (const [change, reason] of wrong) {
    const answer = await post(change);
    assert.equal(answer.status, 400, String(reason));
    assert.match(String(answer.json()['reason']), reason);
    assert.equal(answer.json()['href'], '/api/service_logs/v1/errors/8');
  }
  assert.equal((await post({ summary: 'x'.repeat(255), description: 'ž'.repeat(2000) })).status, 201);
  assert.equal(log.entries().length, 1);
});

test('lists are searched, ordered and paged, per cluster without internal entries', async (t) => {
  const { post, call, root, clock } = await setUp(t);
  for (const [i, severity] of ['Info', 'Major', 'Major', 'Info'].entries()) {
    await post({ severity, summary: `s${i}`, internal_only: i === 3, event_stream_id: `stream-${i}` });
    await clock.advance(1000);
  }
  await post({ cluster_uuid: 'another' });
  const list = async (query: string) => {
    const answer = await call(`${root}/clusters/cluster_logs?${query}`);
    const { items, ...envelope } = answer.json() as { items: { summary: string }[] };
    return { ...envelope, items: items.map((item) => item.summary) };
  };
  assert.deepEqual(await list(`cluster_uuid=${cluster}&order=id%20desc`), {
    kind: 'ClusterLogList',
    page: 1,
    size: 3,
    total: 3,
    items: ['s2', 's1', 's0'],
  });
  assert.deepEqual(await list(`cluster_uuid=${cluster}&size=2&page=2&orderBy=created_at`), {
    kind: 'ClusterLogList',
    page: 2,
    size: 1,
    total: 3,
    items: ['s2'],
  });
  const search = encodeURIComponent("event_stream_id='stream-1'");
  assert.deepEqual((await list(`cluster_uuid=${cluster}&search=${search}`)).items, ['s1']);
  assert.equal((await call(`${root}/clusters/cluster_logs`)).status, 400);
  assert.equal((await call(`${root}/clusters/cluster_logs?cluster_uuid=x&search=drop`)).status, 400);
  assert.equal((await call(`${root}/clusters/${cluster}/cluster_logs`)).json()['total'], 3);
  assert.equal((await call(`${root}/cluster_logs?size=-1`)).json()['total'], 5);
  const csv = await call(`${root}/cluster_logs?format=csv&size=1`);
  assert.match(csv.text, /^timestamp,severity,.*\n"2026-11-21T16:00:00\.\d+Z","Info"/);
});

test('one entry can be read and removed, and all of them purged', async (t) => {
  const { post, call, root, log } = await setUp(t);
  const { id } = (await post()).json();
  await post();
  assert.equal((await call(`${root}/cluster_logs/${id}`)).json()['id'], id);
  assert.equal((await call(`${root}/cluster_logs/${id}`, { method: 'DELETE' })).status, 204);
  assert.equal((await call(`${root}/cluster_logs/${id}`, { method: 'DELETE' })).status, 404);
  assert.equal((await call(`${root}/cluster_logs/${id}`)).status, 404);
  assert.equal(log.entries().length, 1);
  assert.equal((await call(`${root}/warehouse`, { method: 'DELETE' })).status, 204);
  assert.equal(log.entries().length, 0);
  assert.equal((await call(root)).json()['server_version'], 'stand-in');
});

test('entries are there again after a restart, whatever else the file holds', async (t) => {
  const folder = temporaryFolder();
  const file = join(folder, 'entries.jsonl');
  const first = await setUp(t, file);
  await first.post({ event_stream_id: 'kept' });
  await appendFile(file, 'null\n[1]\n{}\n{"id":5}\n');
  const second = await setUp(t, file);
  assert.deepEqual(
    second.log.entries().map((entry) => entry.event_stream_id),
    ['kept'],
  );
});

test('each fault does what its name says', async (t) => {
  const { post, log, call, root } = await setUp(t);
  log.inject('post', { kind: 'status', status: 429, retryAfter: '60' });
  log.inject('post', { kind: 'html', status: 502 });
  log.inject('post', { kind: 'reset' });
  const limited = await post();
  assert.deepEqual([limited.status, limited.headers.get('retry-after')], [429, '60']);
  assert.match((await post()).text, /<html>/);
  await assert.rejects(post(), { code: 'HTTP_UNREACHABLE' });
  assert.equal(log.entries().length, 0);

  log.inject('post', { kind: 'commit-then-status', status: 500 });
  log.inject('post', { kind: 'commit-then-reset' });
  assert.equal((await post()).status, 500);
  await assert.rejects(post(), { code: 'HTTP_UNREACHABLE' });
  assert.equal(log.entries().length, 2);

  log.inject('look-up', { kind: 'status', status: 503 });
  assert.equal((await call(`${root}/cluster_logs`)).status, 503);
  assert.equal((await call(`${root}/cluster_logs`)).status, 200);
});

test('a token can be made to end after some uses, and a stream id to be forgotten or not searched for', async (t) => {
  const { post, call, root, log } = await setUp(t);
  log.behaviour.tokenUsesMax = 2;
  assert.deepEqual([(await post()).status, (await post()).status, (await post()).status], [201, 201, 401]);
  log.behaviour.tokenUsesMax = Number.POSITIVE_INFINITY;
  log.behaviour.dropEventStreamId = true;
  assert.notEqual((await post({ event_stream_id: 'mine' })).json()['event_stream_id'], 'mine');
  log.behaviour.refuseStreamIdSearch = true;
  const search = encodeURIComponent("event_stream_id='x'");
  assert.equal((await call(`${root}/clusters/cluster_logs?cluster_uuid=${cluster}&search=${search}`)).status, 400);
});
