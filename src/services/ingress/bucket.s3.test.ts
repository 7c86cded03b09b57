/** `ccx ingress` on a real S3 server: what lies there, the server killed under load, the outbox in it, settings that are wrong, memory. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, type TestContext, test } from 'node:test';
import { startCcx } from '../../../test/support/ccx-process.ts';
import {
  BOUNDARY,
  type Exchange,
  filePart,
  form,
  metadataPart,
  send,
  TEST_ACCOUNT,
  TEST_ORG,
  userIdentity,
} from '../../../test/support/ingress-bench.ts';
import { type IngressRole, startIngressRole } from '../../../test/support/ingress-role.ts';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { s3IngressEnvironment, testBucket, testS3 } from '../../../test/support/s3.ts';
import { until } from '../../../test/support/until.ts';
import { HEADER_REQUEST_ID, TOPIC_UPLOAD_ANNOUNCE } from '../../contracts/topics.ts';
import { createPostgresBus, type PostgresBus } from '../../platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import type { S3ObjectStore } from '../../platform/objects/s3/s3-store.ts';

const clock = createSystemClock();
/** Nothing listens there. */
const databaseAway = 'postgres://nobody:x@127.0.0.1:1/none';
const shared: { base?: TestDatabase; bus?: PostgresBus; bucket?: S3ObjectStore } = {};
const bucket = (): S3ObjectStore => shared.bucket!;

before(async () => {
  shared.base = await createTestDatabase();
  shared.bus = await createPostgresBus({ database: shared.base.database, clock });
  shared.bucket = await testBucket();
});
after(async () => {
  await shared.bucket?.close();
  await shared.bus?.close();
  await shared.base?.drop();
});

async function startRole(t: TestContext, options: { databaseUrl?: string; env?: Record<string, string> } = {}) {
  const { databaseUrl = shared.base!.url } = options;
  const env = { ...(await s3IngressEnvironment()), ...options.env };
  const started = await startIngressRole({ databaseUrl, env });
  t.after(() => started.role.kill('SIGKILL'));
  return started;
}

async function uploadTo({ url }: IngressRole, id: string, body: Buffer | string): Promise<Exchange> {
  return await send(`${url}/api/ingress/v1/upload`, {
    method: 'POST',
    headers: {
      'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
      'x-rh-identity': userIdentity,
      [HEADER_REQUEST_ID]: id,
    },
    body: form([filePart(body), metadataPart({})]),
  });
}

interface Announced {
  readonly request_id: string;
  readonly url: string;
}

async function announcements(): Promise<Announced[]> {
  const found: Announced[] = [];
  for (const { partition, start, end } of await shared.bus!.admin.lag('reader', [TOPIC_UPLOAD_ANNOUNCE])) {
    const from = { topic: TOPIC_UPLOAD_ANNOUNCE, partition, offset: start };
    if (end === start) continue;
    for (const { value } of await shared.bus!.admin.read(from, 10_000)) found.push(JSON.parse(String(value)));
  }
  return found;
}

async function keysOf(prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of bucket().list(prefix)) keys.push(key);
  return keys;
}

async function stored(id: string): Promise<Buffer | undefined> {
  const found = await bucket().get(id);
  return found === undefined ? undefined : await buffer(found.body);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

test('an archive lies under its request id, small or large, and the announced link leads to it', async (t) => {
  const role = await startRole(t);
  assert.match(role.role.stdout(), /"links_live_seconds":86400/);
  for (const [id, bytes] of [
    ['766bd49580ce4ed489ec04e35fc7edac', 93_000],
    ['vm/efXwPcevxg-000001', 12_000_000],
  ] as const) {
    const body = randomBytes(bytes);
    const answer = await uploadTo(role, id, body);
    assert.equal(answer.status, 202, answer.text);
    assert.equal(sha256((await stored(id))!), sha256(body));
    const { url } = (await announcements()).find(({ request_id }) => request_id === id)!;
    const { endpoint, bucket: name } = await testS3();
    assert.ok(url.startsWith(`${endpoint}/${name}/${id}?X-Amz-Algorithm=`), url);
    const fetched = await send(url);
    assert.equal(sha256(fetched.body), sha256(body));
    assert.equal(fetched.headers['content-type'], 'application/gzip');
    assert.partialDeepStrictEqual(fetched.headers, {
      'x-amz-meta-requestid': id,
      'x-amz-meta-account': TEST_ACCOUNT,
      'x-amz-meta-org': TEST_ORG,
    });
    assert.equal((await send(`${role.url}/download/x`)).status, 404, 'the store serves itself');
  }
  for (const hostile of ['a/../outbox/1', '../x', 'a//b', 'outbox/1', 'ingress/startcheck']) {
    assert.equal((await uploadTo(role, hostile, 'x')).status, 400, hostile);
  }
  await until(() => /the bucket has no lifecycle/.test(role.role.stdout()));
});

test('killed under load, S3 costs answers of 503, and nothing that was acknowledged', async (t) => {
  const role = await startRole(t);
  const server = await testS3();
  const acknowledged = new Map<string, string>();
  const refused: Exchange[] = [];
  let isKilled = false;
  let isOver = false;
  let whileAway = 0;
  const client = async (n: number) => {
    for (let round = 0; !isOver; round += 1) {
      const id = `load${n}x${round}`;
      // Every other one goes in parts.
      const body = randomBytes(round % 2 === 0 ? 93_000 : 6_000_000);
      const begunAway = isKilled;
      const answer = await uploadTo(role, id, body);
      if (answer.status === 202) acknowledged.set(id, sha256(body));
      else refused.push(answer);
      if (begunAway && isKilled) {
        assert.equal(answer.status, 503, 'nothing is acknowledged while it is away');
        whileAway += 1;
      }
    }
  };
  const clients = Promise.all(Array.from({ length: 8 }, (_, n) => client(n)));
  await until(() => acknowledged.size >= 20);
  for (let kills = 1; kills <= 2; kills += 1) {
    isKilled = true;
    await server.kill('SIGKILL');
    const before = whileAway;
    await until(() => whileAway >= before + 8);
    assert.equal((await send(`${role.url}/ready`)).status, 503);
    isKilled = false;
    await server.start();
    const sofar = acknowledged.size;
    await until(() => acknowledged.size >= sofar + 10);
  }
  isOver = true;
  await clients;
  assert.equal((await send(`${role.url}/ready`)).status, 200);
  assert.ok(refused.length > 0);
  for (const { status, headers, text } of refused) {
    assert.equal(status, 503, text);
    assert.ok(Number(headers['retry-after']) > 0);
  }
  const announced = (await announcements()).map(({ request_id }) => request_id);
  for (const [id, digest] of acknowledged) {
    assert.equal(sha256((await stored(id))!), digest, id);
    assert.equal(announced.filter((one) => one === id).length, 1, id);
  }
  t.diagnostic(`${acknowledged.size} acknowledged, ${refused.length} refused`);
});

/** What ingress takes for storing, and the machine of a test on top. */
const giveUpMsMax = 45_000 + 15_000;

test('a store that stalls costs 503 within the time that ingress takes for storing, and goes on where it stood', async (t) => {
  const role = await startRole(t);
  const server = await testS3();
  const bodies = new Map(
    Array.from({ length: 6 }, (_, n) => [`stalled${n}`, randomBytes(n % 2 === 0 ? 93_000 : 12_000_000)] as const),
  );
  const uploadAll = () => Promise.all([...bodies].map(([id, body]) => uploadTo(role, id, body)));
  assert.equal((await uploadTo(role, 'before-the-stall', 'x')).status, 202);
  await server.kill('SIGSTOP');
  t.after(() => server.kill('SIGCONT'));
  const startedMs = clock.monotonicMs();
  const uploading = uploadAll();
  await until(async () => (await send(`${role.url}/ready`)).status === 503);
  const readyMs = clock.monotonicMs() - startedMs;
  for (const { status, headers, text } of await uploading) {
    assert.equal(status, 503, text);
    assert.ok(Number(headers['retry-after']) > 0);
  }
  const tookMs = clock.monotonicMs() - startedMs;
  assert.ok(tookMs < giveUpMsMax, `answered after ${tookMs} ms`);
  t.diagnostic(`not ready after ${readyMs} ms, uploads answered after ${tookMs} ms`);

  await server.kill('SIGCONT');
  await until(async () => (await send(`${role.url}/ready`)).status === 200);
  await until(async () => (await uploadAll()).every(({ status }) => status === 202));
  for (const [id, body] of bodies) assert.equal(sha256((await stored(id))!), sha256(body), id);
  const announced = (await announcements()).map(({ request_id }) => request_id);
  for (const id of bodies.keys()) assert.ok(announced.includes(id), id);
});

test('announcements wait in the bucket while the bus is away, and go out with links signed then', async (t) => {
  const away = await startRole(t, { databaseUrl: databaseAway });
  const ids = ['kept1', 'kept2', 'kept3'];
  for (const id of ids) assert.equal((await uploadTo(away, id, `archive ${id}`)).status, 202);
  away.role.kill('SIGKILL');
  await away.role.exited(10_000);
  const waiting = await keysOf('outbox/');
  assert.equal(waiting.length, 3);
  for (const key of waiting)
    assert.doesNotMatch(String(await stored(key)), /X-Amz-Signature/, 'signed when it is sent');

  await startRole(t);
  await until(async () => (await keysOf('outbox/')).length === 0);
  const sent = (await announcements()).filter(({ request_id }) => ids.includes(request_id));
  assert.deepEqual(sent.map(({ request_id }) => request_id).sort(), ids);
  for (const { request_id, url } of sent) assert.equal((await send(url)).text, `archive ${request_id}`);
});

describe('a start with settings that are wrong ends in one line', () => {
  const cases: readonly [string, Record<string, string>, RegExp][] = [
    ['the secret', { INGRESS_MINIOSECRETKEY: 'wrong' }, /OBJECTS_LOGIN\].*\n.*INGRESS_MINIOSECRETKEY/],
    ['the bucket', { INGRESS_STAGEBUCKET: 'nowhere' }, /OBJECTS_BUCKET_MISSING\].*\n.*INGRESS_STAGEBUCKET/],
    ['TLS', { INGRESS_USESSL: 'true' }, /OBJECTS_TLS\].*\n.*INGRESS_MINIOENDPOINT/],
    ['one of two', { INGRESS_MINIOSECRETKEY: '' }, /INGRESS_MINIOSECRETKEY.* only one is set/],
    ['the lifetime of links', { CCX_INGRESS__LINKS__LIFETIME: '169h' }, /links\.lifetime/],
    [
      'no server at all',
      { INGRESS_MINIOENDPOINT: '', AWS_EC2_METADATA_DISABLED: 'true' },
      /region.*\n.*INGRESS_STORAGEREGION.*INGRESS_STAGERIMPLEMENTATION=filebased/,
    ],
  ];
  for (const [name, change, pattern] of cases) {
    test(name, async () => {
      const env = { ...(await s3IngressEnvironment()), CCX_DATABASE_URL: shared.base!.url, ...change };
      const role = startCcx({ args: ['ingress', '--bus', 'postgres', '--port', '0', '--metrics-port', '0'], env });
      assert.equal((await role.exited(60_000)).code, 1);
      assert.match(role.stderr(), pattern);
      assert.doesNotMatch(role.stderr(), /\n\s+at /);
      const { admin } = await testS3();
      assert.ok(!`${role.stderr()}${role.stdout()}`.includes(admin.secretKey));
    });
  }
});

const grownMebibytesMax = 160;
/** Half of what the benchmark of ingress sends: what they cost does not grow with them. */
const large = { uploads: 16, bytes: 50_000_000 };
const canReadPeak = existsSync('/proc/self/status');

test('sixteen large uploads at once cost it little memory', { skip: !canReadPeak && 'needs /proc' }, async (t) => {
  const role = await startRole(t);
  await uploadTo(role, 'warm', randomBytes(12_000_000));
  const before = peakMebibytes(role);
  const end = `\r\n--${BOUNDARY}--\r\n`;
  const head = form([filePart('')]).subarray(0, -end.length);
  const piece = Buffer.alloc(64 * 1024, 1);
  const answers = await Promise.all(
    Array.from({ length: large.uploads }, (_, n) =>
      send(`${role.url}/api/ingress/v1/upload`, {
        method: 'POST',
        headers: {
          'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
          'x-rh-identity': userIdentity,
          [HEADER_REQUEST_ID]: `large${n}`,
        },
        body: (function* () {
          yield head;
          for (let sent = 0; sent < large.bytes; sent += piece.length) {
            yield piece.subarray(0, Math.min(piece.length, large.bytes - sent));
          }
          yield Buffer.from(end);
        })(),
      }),
    ),
  );
  const grown = peakMebibytes(role) - before;
  t.diagnostic(`the peak grew by ${grown} MiB`);
  assert.deepEqual(
    answers.map(({ status }) => status),
    answers.map(() => 202),
  );
  const sizes = new Map<string, number>();
  for await (const { key, sizeBytes } of bucket().list('large')) sizes.set(key, sizeBytes);
  assert.equal(sizes.size, large.uploads);
  for (const [key, bytes] of sizes) assert.equal(bytes, large.bytes, key);
  for (const key of sizes.keys()) await bucket().delete(key);
  assert.ok(grown < grownMebibytesMax, `the peak grew by ${grown} MiB`);
});

/** Largest resident size so far. */
function peakMebibytes({ role }: IngressRole): number {
  const status = readFileSync(`/proc/${role.child.pid}/status`, 'utf8');
  return Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024);
}
