/**
 * Archives in a bucket of a real S3 server, from the upload to the report: roles as processes of their own, which lose the server on the way and
 * outlive their links, and everything in one process.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseDeadLetterHeaders } from '../../src/contracts/dead-letter.ts';
import { encodeIdentity } from '../../src/contracts/identity.ts';
import {
  HEADER_REQUEST_ID,
  TOPIC_OCP_RESULTS,
  TOPIC_PAYLOAD_STATUS,
  TOPIC_PIPELINE_DEAD_LETTERS,
  TOPIC_UPLOAD_ANNOUNCE,
} from '../../src/contracts/topics.ts';
import { type BusRecord, headerText } from '../../src/platform/bus/bus.ts';
import { createPostgresBus, type PostgresBus } from '../../src/platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import type { S3ObjectStore } from '../../src/platform/objects/s3/s3-store.ts';
import { testArchive, testIdentity } from '../support/announcements.ts';
import { type CcxProcess, runCcx, startCcx } from '../support/ccx-process.ts';
import { createTestFolder } from '../support/data-folder.ts';
import { BOUNDARY, filePart, form, metadataPart, send } from '../support/ingress-bench.ts';
import { type IngressRole, startIngressRole } from '../support/ingress-role.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { s3IngressEnvironment, testBucket, testS3 } from '../support/s3.ts';
import { s3PipelineEnvironmentOf } from '../support/s3-environments.ts';
import { until } from '../support/until.ts';

const startMsMax = 60_000;
const shared: { base?: TestDatabase; bus?: PostgresBus; bucket?: S3ObjectStore } = {};
const running: CcxProcess[] = [];

before(async () => {
  shared.base = await createTestDatabase();
  shared.bus = await createPostgresBus({ database: shared.base.database, clock: createSystemClock() });
  const topics = [TOPIC_UPLOAD_ANNOUNCE, TOPIC_OCP_RESULTS, TOPIC_PIPELINE_DEAD_LETTERS, TOPIC_PAYLOAD_STATUS];
  await shared.bus.admin.ensureTopics(topics.map((name) => ({ name, partitions: 1 })));
  shared.bucket = await testBucket();
});
after(async () => {
  for (const process of running) process.kill('SIGKILL');
  await shared.bucket?.close();
  await shared.bus?.close();
  await shared.base?.drop();
});

async function startIngress(lifetime: string): Promise<IngressRole> {
  const env = { ...(await s3IngressEnvironment()), CCX_INGRESS__LINKS__LIFETIME: lifetime };
  const started = await startIngressRole({ databaseUrl: shared.base!.url, env });
  running.push(started.role);
  return started;
}

/** `byKey`: with rights of its own on the bucket; else it follows links to the store. */
async function startPipeline(byKey: boolean): Promise<CcxProcess> {
  const server = await testS3();
  const role = startCcx({
    args: ['data-pipeline', '--operations-port', '0'],
    env: {
      CCX_DATABASE_URL: shared.base!.url,
      CCX_DATA_PIPELINE__OPERATIONS__HOST: '127.0.0.1',
      ...(byKey
        ? s3PipelineEnvironmentOf(server)
        : { CCX_DATA_PIPELINE__DOWNLOAD__ALLOWED_HOSTS: new URL(server.endpoint).host }),
    },
  });
  running.push(role);
  await role.waitForOutput(/"url":"(http:[^"]+)"/, startMsMax);
  return role;
}

async function stop(role: CcxProcess): Promise<void> {
  role.kill('SIGTERM');
  assert.equal((await role.exited(startMsMax)).code, 0);
}

async function upload({ url }: IngressRole, id: string): Promise<number> {
  const { status } = await send(`${url}/api/ingress/v1/upload`, {
    method: 'POST',
    headers: {
      'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
      'x-rh-identity': encodeIdentity(testIdentity()),
      [HEADER_REQUEST_ID]: id,
    },
    body: form([filePart(testArchive()), metadataPart({})]),
  });
  return status;
}

async function recordsOf(topic: string): Promise<readonly BusRecord[]> {
  return await shared.bus!.admin.read({ topic, partition: 0, offset: 0n }, 10_000);
}

async function reported(): Promise<string[]> {
  const records = await recordsOf(TOPIC_OCP_RESULTS);
  return records.map(({ value }) => String((JSON.parse(String(value)) as { RequestId?: string }).RequestId));
}

async function deadLetters() {
  const records = await recordsOf(TOPIC_PIPELINE_DEAD_LETTERS);
  return records.map((record) => parseDeadLetterHeaders((name) => headerText(record, name)));
}

test('an upload becomes a report, by key and by link', async () => {
  const ingress = await startIngress('24h');
  for (const [byKey, id] of [
    [true, 'bykey'],
    [false, 'bylink'],
  ] as const) {
    const pipeline = await startPipeline(byKey);
    assert.equal(await upload(ingress, id), 202);
    await until(async () => (await reported()).includes(id));
    await stop(pipeline);
  }
  assert.deepEqual(await deadLetters(), []);
  await stop(ingress.role);
});

test('a link that has ended is final for who only has the link, and nothing to who has the bucket', async () => {
  const ingress = await startIngress('1s');
  assert.equal(await upload(ingress, 'ended1'), 202);
  const announcements = await recordsOf(TOPIC_UPLOAD_ANNOUNCE);
  const { url } = JSON.parse(String(announcements.at(-1)!.value)) as { url: string };
  await until(async () => (await fetch(url)).status === 403);

  const byLink = await startPipeline(false);
  await until(async () => (await deadLetters()).length === 1);
  const [letter] = await deadLetters();
  assert.equal(letter?.code, 'DOWNLOAD_FORBIDDEN');
  await stop(byLink);

  assert.equal(await upload(ingress, 'ended2'), 202);
  const later = JSON.parse(String((await recordsOf(TOPIC_UPLOAD_ANNOUNCE)).at(-1)!.value)) as { url: string };
  await until(async () => (await fetch(later.url)).status === 403);
  const byKey = await startPipeline(true);
  await until(async () => (await reported()).includes('ended2'));
  assert.equal((await deadLetters()).length, 1);
  await stop(byKey);
  await stop(ingress.role);
});

for (const [byKey, how] of [
  [true, 'killed'],
  [false, 'killed'],
  [true, 'stalled'],
  [false, 'stalled'],
] as const) {
  test(`S3 ${how} between upload and fetch loses nothing, fetched by ${byKey ? 'key' : 'link'}`, async () => {
    const server = await testS3();
    const ingress = await startIngress('24h');
    const pipeline = await startPipeline(byKey);
    // It has opened the bucket, and finds what to fetch when that is gone.
    pipeline.kill('SIGSTOP');
    const lettersBefore = (await deadLetters()).length;
    const ids = Array.from({ length: 8 }, (_, n) => `${how}${byKey ? 'key' : 'link'}${n}`);
    for (const id of ids) assert.equal(await upload(ingress, id), 202);
    await server.kill(how === 'killed' ? 'SIGKILL' : 'SIGSTOP');
    pipeline.kill('SIGCONT');
    const said = byKey ? /OBJECTS_AWAY/ : /DOWNLOAD_UNREACHABLE/;
    await pipeline.waitForOutput(how === 'killed' ? said : /DOWNLOAD_TIMEOUT/, startMsMax);
    assert.ok(!(await reported()).some((id) => ids.includes(id)));
    await (how === 'killed' ? server.start() : server.kill('SIGCONT'));
    await until(async () => {
      const done = await reported();
      return ids.every((id) => done.includes(id));
    });
    assert.equal((await deadLetters()).length, lettersBefore);
    await stop(pipeline);
    await stop(ingress.role);
  });
}

test('everything in one process keeps its archives in a bucket, and says what its lifecycle lacks', async (t) => {
  const folder = await createTestFolder();
  t.after(() => folder.remove());
  const { endpoint, bucket, admin } = await testS3();
  const archive = join(folder.path, 'archive.tar.gz');
  await writeFile(archive, testArchive());
  const flags = ['--once', '--json', '--data', join(folder.path, 'data'), '--port', '0', '--log-level', 'silent'];
  const url = endpoint.replace('http://', `http://${admin.accessKey}:${admin.secretKey}@`);
  const env = { CCX_ALL_IN_ONE__RUN__S3: `${url}/${bucket}` };
  const before = await keys();
  const run = await runCcx(['all-in-one', ...flags, '--upload', archive], env);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /^archives lie in the bucket archives$/m);
  assert.match(run.stderr, /^warning: the bucket has no lifecycle/m);
  const added = (await keys()).filter((key) => !before.includes(key));
  assert.equal(added.length, 1);
  assert.partialDeepStrictEqual(JSON.parse(run.stdout), { uploads: 1, refused: 0, stored: 1, deadLetters: 0 });
  assert.ok(!`${run.stdout}${run.stderr}`.includes(admin.secretKey));

  const wrong = await runCcx(['all-in-one', ...flags, '--s3', `${url.replace(admin.secretKey, 'x')}/${bucket}`]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /OBJECTS_LOGIN\]\n.*the secret in --s3/);
});

async function keys(): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of shared.bucket!.list('')) found.push(key);
  return found;
}
