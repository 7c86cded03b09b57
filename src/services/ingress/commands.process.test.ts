/** `ccx ingress` as an operator runs it: killed between every two effects, without its bus, under load. Guarantees 1 to 3. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { type CcxProcess, runCcx, startCcx } from '../../../test/support/ccx-process.ts';
import {
  BOUNDARY,
  type Exchange,
  filePart,
  form,
  metadataPart,
  send,
  unfinishedFiles,
  userIdentity,
} from '../../../test/support/ingress-bench.ts';
import { type IngressRole, startIngressRole } from '../../../test/support/ingress-role.ts';
import { by, cluster, post, sha256, tokensFile } from '../../../test/support/operator-tokens.ts';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { until } from '../../../test/support/until.ts';
import { HEADER_REQUEST_ID, TOPIC_PAYLOAD_STATUS, TOPIC_UPLOAD_ANNOUNCE } from '../../contracts/topics.ts';
import { createPostgresBus, type PostgresBus } from '../../platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';

const clock = createSystemClock();
const startMsMax = 60_000;
/** Nothing listens there. */
const databaseAway = 'postgres://nobody:x@127.0.0.1:1/none';
const shared: { base?: TestDatabase; bus?: PostgresBus } = {};

before(async () => {
  shared.base = await createTestDatabase();
  shared.bus = await createPostgresBus({ database: shared.base.database, clock });
});
after(async () => {
  await shared.bus?.close();
  await shared.base?.drop();
});

async function startRole(
  t: TestContext,
  path: string,
  options: { killAt?: string; databaseUrl?: string; tokensFile?: string } = {},
): Promise<IngressRole> {
  const { killAt, tokensFile, databaseUrl = shared.base!.url } = options;
  const started = await startIngressRole({
    storagePath: path,
    databaseUrl,
    flags: tokensFile === undefined ? [] : ['--tokens-file', tokensFile],
    ...(killAt === undefined ? {} : { killAt }),
  });
  t.after(() => started.role.kill('SIGKILL'));
  return started;
}

async function uploadTo(url: string, id: string, body: Buffer | string = `archive ${id}`): Promise<Exchange> {
  return await send(`${url}/api/ingress/v1/upload`, {
    method: 'POST',
    headers: {
      'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
      'x-rh-identity': userIdentity,
      [HEADER_REQUEST_ID]: id,
    },
    body: form([filePart(body), metadataPart({ custom_metadata: { gathering_time: '2026-11-21T16:00:00Z' } })]),
  });
}

interface Announced {
  readonly request_id: string;
  readonly url: string;
}

/** Announcements of these ids, over all partitions. */
async function announcements(ids: readonly string[]): Promise<Announced[]> {
  const found: Announced[] = [];
  for (const { partition, start, end } of await shared.bus!.admin.lag('reader', [TOPIC_UPLOAD_ANNOUNCE])) {
    if (end === start) continue;
    for (const record of await shared.bus!.admin.read(
      { topic: TOPIC_UPLOAD_ANNOUNCE, partition, offset: start },
      1_000,
    )) {
      const value = JSON.parse(String(record.value)) as Announced;
      if (ids.includes(value.request_id)) found.push(value);
    }
  }
  return found;
}

describe('a killed ingress', () => {
  test('line 1: before the archive is stored nothing is left, and the same upload succeeds', async (t) => {
    const path = temporaryFolder();
    const killed = await startRole(t, path, { killAt: 'upload-validated' });
    await assert.rejects(uploadTo(killed.url, 'line1'));
    assert.equal((await killed.role.exited(10_000)).signal, 'SIGKILL');
    const { url } = await startRole(t, path);
    assert.deepEqual(await unfinishedFiles(path), []);
    assert.equal((await uploadTo(url, 'line1')).status, 202);
    assert.equal((await announcements(['line1'])).length, 1);
  });

  test('line 2: an archive whose announcement was not sent is there, and nobody is told of it', async (t) => {
    const path = temporaryFolder();
    const killed = await startRole(t, path, { killAt: 'archive-stored' });
    await assert.rejects(uploadTo(killed.url, 'line2'));
    await killed.role.exited(10_000);
    assert.ok((await readdir(path)).includes('line2'));
    const { url } = await startRole(t, path);
    assert.deepEqual(await announcements(['line2']), []);
    assert.equal((await uploadTo(url, 'line2')).status, 202);
    assert.equal((await announcements(['line2'])).length, 1);
  });

  test('line 3: an announcement that the bus has is there, although the client heard nothing', async (t) => {
    const path = temporaryFolder();
    const killed = await startRole(t, path, { killAt: 'upload-announced' });
    await assert.rejects(uploadTo(killed.url, 'line3'));
    await killed.role.exited(10_000);
    assert.equal((await announcements(['line3'])).length, 1);
  });

  test('line 3: an announcement in the outbox outlives the process and is sent by the next one', async (t) => {
    const path = temporaryFolder();
    const away = await startRole(t, path, { databaseUrl: databaseAway });
    const ids = ['kept1', 'kept2', 'kept3'];
    for (const id of ids) assert.equal((await uploadTo(away.url, id)).status, 202, away.role.stdout());
    away.role.kill('SIGKILL');
    await away.role.exited(10_000);
    assert.equal((await readdir(join(path, 'outbox'))).length, 3);

    await startRole(t, path);
    await until(async () => (await announcements(ids)).length === 3);
    for (const { request_id, url } of await announcements(ids)) {
      assert.equal((await send(url)).text, `archive ${request_id}`, 'the link leads to the process that sent it');
    }
    await until(async () => (await readdir(join(path, 'outbox'))).length === 0);
  });

  test('line 3: killed in the middle of sending the outbox, it loses nothing', async (t) => {
    const path = temporaryFolder();
    const away = await startRole(t, path, { databaseUrl: databaseAway });
    const ids = ['relay1', 'relay2', 'relay3', 'relay4'];
    for (const id of ids) await uploadTo(away.url, id);
    away.role.kill('SIGKILL');
    await away.role.exited(10_000);
    const killed = await startRole(t, path, { killAt: 'announcement-relayed:2' });
    await killed.role.exited(10_000);
    await startRole(t, path);
    await until(async () => (await readdir(join(path, 'outbox'))).length === 0);
    const sent = await announcements(ids);
    assert.deepEqual([...new Set(sent.map(({ request_id }) => request_id))].sort(), ids, 'each at least once');
  });
});

test('a signal ends it in order: what is under way is answered and announced', async (t) => {
  const path = temporaryFolder();
  const { role, url } = await startRole(t, path);
  const body = Buffer.alloc(3_000_000, 7);
  const bytes = form([filePart(body)]);
  const slow = send(`${url}/api/ingress/v1/upload`, {
    method: 'POST',
    headers: {
      'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
      'x-rh-identity': userIdentity,
      [HEADER_REQUEST_ID]: 'signal',
    },
    body: (async function* () {
      yield bytes.subarray(0, 2_000_000);
      await until(async () => (await unfinishedFiles(path)).length > 0);
      role.kill('SIGTERM');
      await role.waitForOutput(/"stopping"/, 10_000);
      yield bytes.subarray(2_000_000);
    })(),
  });
  assert.equal((await slow).status, 202);
  assert.deepEqual(await role.exited(20_000), { code: 0, signal: null });
  assert.equal((await announcements(['signal'])).length, 1);
  const lag = await shared.bus!.admin.lag('reader', [TOPIC_PAYLOAD_STATUS]);
  assert.ok(lag.reduce((sum, { start, end }) => sum + Number(end - start), 0) >= 2, 'and its status messages are out');
  assert.deepEqual((await readdir(path)).sort(), ['.unfinished', 'ingress', 'outbox', 'signal']);
});

test('it says in one line what is missing', async () => {
  const cases: readonly [Record<string, string>, RegExp][] = [
    [{ AWS_EC2_METADATA_DISABLED: 'true' }, /INGRESS_STAGERIMPLEMENTATION=filebased/],
    [{ INGRESS_STAGERIMPLEMENTATION: 'filebased' }, /INGRESS_STORAGEFILESYSTEMPATH/],
    [{ INGRESS_AWSACCESSKEYID: 'x' }, /CloudWatch/],
  ];
  for (const [env, pattern] of cases) {
    const role = startCcx({ args: ['ingress'], env });
    assert.equal((await role.exited(startMsMax)).code, 1);
    assert.match(role.stderr(), pattern);
    assert.doesNotMatch(role.stderr(), /\n\s+at /);
  }
});

const canReadPeak = existsSync('/proc/self/status');
const grownMebibytesMax = 160;
/** How late the garbage collector comes on a busy machine is chance; uploads that are held are held every time. */
const attemptsMax = 3;
test('many large uploads at once cost it little memory', { skip: canReadPeak ? false : 'needs /proc' }, async (t) => {
  let grown = Number.POSITIVE_INFINITY;
  for (let attempt = 1; grown >= grownMebibytesMax && attempt <= attemptsMax; attempt += 1) {
    grown = await growthByUploads(t);
    t.diagnostic(`attempt ${attempt}: the peak grew by ${grown} MiB`);
  }
  assert.ok(grown < grownMebibytesMax, `the peak grew by ${grown} MiB`);
});

/** Mebibytes by which the peak of a new process grows when 32 clients upload 8 MiB each at the same time. */
async function growthByUploads(t: TestContext): Promise<number> {
  const path = temporaryFolder();
  const { role, url } = await startRole(t, path);
  await uploadTo(url, 'warm');
  const before = peakMebibytes(role);
  const uploads = 32;
  const fileBytes = 8 * 1024 * 1024;
  const piece = Buffer.alloc(64 * 1024, 1);
  const end = `\r\n--${BOUNDARY}--\r\n`;
  const head = form([filePart('')]).subarray(0, -end.length);
  const answers = await Promise.all(
    Array.from({ length: uploads }, (_, n) =>
      send(`${url}/api/ingress/v1/upload`, {
        method: 'POST',
        headers: {
          'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
          'x-rh-identity': userIdentity,
          [HEADER_REQUEST_ID]: `load${n}`,
        },
        body: (function* () {
          yield head;
          for (let sent = 0; sent < fileBytes; sent += piece.length) yield piece;
          yield Buffer.from(end);
        })(),
      }),
    ),
  );
  assert.ok(answers.every(({ status }) => status === 202));
  const grown = peakMebibytes(role) - before;
  assert.deepEqual(await unfinishedFiles(path), []);
  const digest = createHash('sha256').update(Buffer.alloc(fileBytes, 1)).digest('hex');
  assert.equal(
    createHash('sha256')
      .update(readFileSync(join(path, 'load7')))
      .digest('hex'),
    digest,
  );
  return grown;
}

/** Largest resident size so far. */
function peakMebibytes(role: CcxProcess): number {
  const status = readFileSync(`/proc/${role.child.pid}/status`, 'utf8');
  return Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024);
}

test('with tokens, two processes on one database agree on whose a cluster is, and a person may change it', async (t) => {
  const entry = (name: string, orgId: string) => ({ sha256: sha256(name), org_id: orgId });
  const tokens = tokensFile({ tokens: [entry('one', '1'), entry('evil', '666')] });
  const path = temporaryFolder();
  const [first, second] = await Promise.all([
    startRole(t, path, { tokensFile: tokens }),
    startRole(t, path, { tokensFile: tokens }),
  ]);
  const upload = async (baseUrl: string, token: string) =>
    (await post({ ingress: { uploadUrl: `${baseUrl}/api/ingress/v1/upload` } }, by(token))).status;
  assert.equal(await upload(first.url, 'one'), 202);
  assert.equal(await upload(second.url, 'evil'), 403);
  const tool = (...args: string[]) => runCcx(['clusters', ...args, '--database', shared.base!.url]);
  assert.match(
    (await tool('list')).stdout,
    new RegExp(`^${cluster} {2}organization 1 {2}since .* token [0-9a-f]{64}\\n$`),
  );
  assert.deepEqual(await tool('move', cluster, '666'), {
    code: 0,
    stdout: `${cluster} belongs to organization 666 now; before: organization 1\n`,
    stderr: '',
  });
  assert.equal(await upload(second.url, 'evil'), 202);
  assert.equal(await upload(first.url, 'one'), 403);
  await shared.base!.database.query(
    `INSERT INTO ccx.clusters (org_id, cluster, version, last_report_at, critical, state_since)
     VALUES (666, $1, '4.17.1', '2026-11-21 16:00', 2, '2026-11-21 16:00')`,
    [cluster],
  );
  const named = await tool('name', cluster, 'in Brno', '--by', 'ada');
  assert.deepEqual([named.code, named.stdout], [0, `${cluster} is called "in Brno" now\n`]);
  assert.match(
    (await tool('list')).stdout,
    /organization 666 {2}since .* {2}by ccx clusters move {2}"in Brno" {2}last report 2026-11-21 16:00:00 UTC \(4\.17\.1\) {2}2 critical\n$/,
  );
  assert.match(
    (await tool('retire', cluster)).stdout,
    /is retired; issues closed: 0\. Its next report brings it back\n$/,
  );
  assert.match((await tool('list')).stdout, / {2}retired since .* UTC {2}no open issues\n$/);
  assert.match((await tool('retire', cluster)).stdout, /was retired before\n$/);
  for (const command of [
    ['name', cluster.replace(/./, '0'), 'x'],
    ['retire', cluster.replace(/./, '0')],
  ]) {
    const { code, stderr } = await tool(...command);
    assert.deepEqual([code === 0, /CLUSTER_UNKNOWN/.test(stderr)], [false, true], stderr);
  }
  for (const wrong of [
    ['x', '1'],
    [cluster, '-1'],
    [cluster, '2147483648'],
  ])
    assert.notEqual((await tool('move', ...wrong)).code, 0, wrong.join(' '));
});

test('ccx clusters list makes no table on a database that has none', async (t) => {
  const empty = await createTestDatabase();
  t.after(() => empty.drop());
  const { code, stderr } = await runCcx(['clusters', 'list', '--database', empty.url]);
  assert.equal(code, 1);
  assert.match(stderr, /\[CLUSTERS_NO_TABLE\]\n {2}name the right database/);
  const { rows } = await empty.database.query(`SELECT to_regnamespace('ccx') AS schema`);
  assert.deepEqual(rows, [{ schema: null }]);
});
