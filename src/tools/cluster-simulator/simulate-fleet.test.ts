/** Many clusters upload, some at a time. */
import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { type TestContext, test } from 'node:test';
import { listening } from '../../../test/support/test-server.ts';
import { createWatchedClock } from '../../../test/support/watched-clock.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { clusterStateAt, simulatedClusterId } from './cluster-life.ts';
import { type FleetOptions, type FleetUpload, simulateFleet, simulateLivingFleet } from './simulate-fleet.ts';

async function fleet(context: TestContext, listener: RequestListener, more: Partial<FleetOptions> = {}) {
  const { port, close } = await listening(createServer(listener));
  context.after(close);
  const uploads: FleetUpload[] = [];
  const refused = await simulateFleet(
    {
      url: `http://127.0.0.1:${port}/upload`,
      clusters: 6,
      seed: 1,
      parallel: 3,
      owner: { orgId: '7', account: '8' },
      ...more,
    },
    createSystemClock(),
    (upload) => uploads.push(upload),
  );
  return { refused, uploads };
}

test('each cluster uploads once, with the identity of its owner, no more than so many at a time', async (context) => {
  const clusters: string[] = [];
  let open = 0;
  let openMost = 0;
  const { refused, uploads } = await fleet(context, async (request, response) => {
    open += 1;
    openMost = Math.max(openMost, open);
    const { identity } = JSON.parse(Buffer.from(String(request.headers['x-rh-identity']), 'base64').toString());
    assert.equal(identity.internal.org_id, '7');
    assert.equal(identity.account_number, '8');
    clusters.push(identity.system.cluster_id);
    for await (const _ of request);
    open -= 1;
    response.writeHead(202, { 'x-rh-insights-request-id': `r-${identity.system.cluster_id}` }).end();
  });
  assert.equal(refused, 0);
  assert.ok(openMost <= 3);
  assert.equal(new Set(clusters).size, 6);
  assert.deepEqual(uploads.map(({ clusterId }) => clusterId).sort(), clusters.sort());
  for (const { clusterId, status, requestId, error } of uploads) {
    assert.deepEqual({ status, requestId, error }, { status: 202, requestId: `r-${clusterId}`, error: undefined });
  }
});

test('uploads that are refused or get no answer are counted and told', async (context) => {
  let count = 0;
  const { refused, uploads } = await fleet(
    context,
    async (request, response) => {
      for await (const _ of request);
      count += 1;
      if (count === 1) response.writeHead(401).end('token expired\n');
      else if (count === 2) response.destroy();
      else response.writeHead(202).end();
    },
    { parallel: 1, clusters: 3, findings: ['OPERATOR_ISSUE'], token: 'secret' },
  );
  assert.equal(refused, 2);
  assert.equal(uploads[0]?.error, 'token expired');
  assert.match(uploads[1]?.error ?? '', /UPLOAD_FAILED/);
  assert.deepEqual(uploads[2]?.findings, ['OPERATOR_ISSUE']);
});

/** Turns of a fleet whose clock a test moves, and what was uploaded. */
async function livingFleet(
  context: TestContext,
  more: { readonly rate?: number; readonly speed?: number; readonly uploads?: number; readonly clusters?: number },
) {
  const { port, close } = await listening(
    createServer(async (request, response) => {
      for await (const _ of request);
      response.writeHead(202).end();
    }),
  );
  context.after(close);
  const clock = createWatchedClock();
  const stopping = new AbortController();
  const uploads: FleetUpload[] = [];
  const done = simulateLivingFleet(
    {
      ...{ url: `http://127.0.0.1:${port}/upload`, clusters: 5, seed: 1, parallel: 1, rate: 1, speed: 1, ...more },
      owner: { orgId: '7', account: '8' },
    },
    { clock, signal: stopping.signal },
    (upload) => uploads.push(upload),
  );
  return { clock, uploads, stopping, done };
}

test('a fleet uploads in turn, at its rate, what its clusters are by then, and nothing of those that are away', async (context) => {
  const turns = 90;
  const { clock, uploads, done } = await livingFleet(context, { clusters: 40, uploads: turns, rate: 2, speed: 86_400 });
  const started = clock.now().getTime();
  for (let turn = 1; turn < turns; turn += 1) assert.equal(await clock.passNextSleep(), 500);
  assert.equal(await done, 0);
  const due = Array.from({ length: turns }, (_, turn) => {
    const member = { seed: 1, number: turn % 40 };
    // Half a second of the clock is half a day of theirs.
    const state = clusterStateAt(member, new Date(started + turn * 43_200_000));
    return { clusterId: simulatedClusterId(member), ...state };
  });
  const reporting = due.filter(({ isReporting }) => isReporting);
  assert.ok(reporting.length < turns, 'somebody is away');
  assert.deepEqual(
    uploads.map(({ clusterId }) => clusterId),
    reporting.map(({ clusterId }) => clusterId),
  );
  for (const [index, { findings }] of reporting.entries())
    assert.deepEqual(
      findings.filter((finding) => !uploads[index]!.findings.includes(finding)),
      [],
    );
});

test('a fleet ends when it is told to, in the middle of its wait', async (context) => {
  const { clock, uploads, stopping, done } = await livingFleet(context, {});
  assert.equal(await clock.nextSleep(), 1_000);
  stopping.abort();
  assert.equal(await done, 0);
  assert.ok(uploads.length <= 1);
});
