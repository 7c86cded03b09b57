/** `ccx data-pipeline` as an operator runs it: a process with an HTTP port, stopped by a signal, killed without remains. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { announcementRecord, testArchive } from '../../../test/support/announcements.ts';
import { type ArchiveServer, startArchiveServer } from '../../../test/support/archive-server.ts';
import { type CcxProcess, startCcx } from '../../../test/support/ccx-process.ts';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { descendantsOf, stillAlive } from '../../../test/support/process-tree.ts';
import { until } from '../../../test/support/until.ts';
import {
  GROUP_DATA_PIPELINE,
  TOPIC_OCP_RESULTS,
  TOPIC_PAYLOAD_STATUS,
  TOPIC_PIPELINE_DEAD_LETTERS,
  TOPIC_UPLOAD_ANNOUNCE,
} from '../../contracts/topics.ts';
import { createPostgresBus, type PostgresBus } from '../../platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';

const clock = createSystemClock();
const startMsMax = 60_000;
const shared: { base?: TestDatabase; bus?: PostgresBus; server?: ArchiveServer } = {};

before(async () => {
  shared.server = await startArchiveServer();
  shared.base = await createTestDatabase();
  shared.bus = await createPostgresBus({ database: shared.base.database, clock });
  const topics = [TOPIC_UPLOAD_ANNOUNCE, TOPIC_OCP_RESULTS, TOPIC_PIPELINE_DEAD_LETTERS, TOPIC_PAYLOAD_STATUS];
  await shared.bus.admin.ensureTopics(topics.map((name) => ({ name, partitions: 1 })));
});
after(async () => {
  await shared.bus?.close();
  await shared.base?.drop();
  await shared.server?.close();
});

interface RoleRun {
  readonly env?: Readonly<Record<string, string>>;
  readonly killAt?: string;
}

async function startRole(run: RoleRun = {}): Promise<{ role: CcxProcess; url: string }> {
  const role = startCcx({
    ...run,
    args: ['data-pipeline', '--operations-port', '0'],
    env: {
      CCX_DATABASE_URL: shared.base!.url,
      CCX_DATA_PIPELINE__OPERATIONS__HOST: '127.0.0.1',
      CCX_DATA_PIPELINE__DOWNLOAD__ALLOWED_HOSTS: shared.server!.host,
      CCX_DATA_PIPELINE__LOGGING__LOG_LEVEL: 'debug',
      ...run.env,
    },
  });
  const [, url = ''] = await role.waitForOutput(/"url":"(http:[^"]+)"/, startMsMax);
  return { role, url };
}

test('it processes what is announced, shows metrics and readiness, and a signal ends it and its runners', async () => {
  const { role, url } = await startRole();
  await until(async () => (await fetch(`${url}/ready`)).status === 200);
  const archive = testArchive();
  const link = shared.server!.serve('/archive', archive);
  const producer = await shared.bus!.createProducer();
  await producer.send([announcementRecord({ url: link })]);
  await role.waitForOutput(/Message has been sent successfully\./, startMsMax);
  assert.match(role.stdout(), /Consuming topic 'platform\.upload\.announce' from brokers PostgreSQL/);
  assert.match(role.stdout(), /JSON schema validated/);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  assert.match(metrics, /^ccx_published_total\{archive="ocp"\} 1$/m);
  assert.match(metrics, /^ccx_consumer_received_total 1$/m);

  const runners = descendantsOf(role.child.pid!);
  assert.equal(runners.length, 2);
  role.kill('SIGTERM');
  assert.deepEqual(await role.exited(startMsMax), { code: 0, signal: null });
  for (const pid of runners) assert.throws(() => process.kill(pid, 0));
  assert.equal(role.stderr(), '');
});

/** Right behind each effect of an archive's way; what must be true after the next start is the same for all. */
for (const event of ['announcement-accepted', 'rules-evaluated', 'report-published', 'message-dead-lettered']) {
  test(`killed right after ${event}, it leaves no orphan, and after the next start nothing is missing`, async () => {
    const env = { CCX_DATA_PIPELINE__BUS__SESSION_TIMEOUT: '1s' };
    const { role: first } = await startRole({ env, killAt: `${event}:1` });
    await until(() => descendantsOf(first.child.pid!).length === 2);
    const runners = descendantsOf(first.child.pid!);
    const requestId = `killed-after-${event}`;
    const producer = await shared.bus!.createProducer();
    const url = shared.server!.serve(`/${requestId}`, testArchive());
    await producer.send([
      announcementRecord({ request_id: requestId, url }),
      { ...announcementRecord(), value: event },
    ]);
    assert.deepEqual(await first.exited(startMsMax), { code: null, signal: 'SIGKILL' });
    await until(() => stillAlive(runners).length === 0);

    const { role: second } = await startRole({ env });
    await until(async () => {
      const [lag] = await shared.bus!.admin.lag(GROUP_DATA_PIPELINE, [TOPIC_UPLOAD_ANNOUNCE]);
      return lag!.committed === lag!.end;
    });
    assert.ok((await read(TOPIC_OCP_RESULTS)).some((value) => JSON.parse(value).RequestId === requestId));
    assert.ok((await read(TOPIC_PIPELINE_DEAD_LETTERS)).includes(event));
    second.kill('SIGTERM');
    assert.equal((await second.exited(startMsMax)).code, 0);
  });
}

async function read(topic: string): Promise<string[]> {
  const records = await shared.bus!.admin.read({ topic, partition: 0, offset: 0n }, 1_000);
  return records.map((record) => String(record.value));
}

test('a missing topic ends the start with one clear line', async () => {
  const role = startCcx({
    args: ['data-pipeline'],
    env: { CCX_DATABASE_URL: shared.base!.url, CDP_INCOMING_TOPIC: 'no-such-topic' },
  });
  assert.deepEqual(await role.exited(startMsMax), { code: 1, signal: null });
  assert.match(role.stderr(), /^ccx: there is no topic no-such-topic on the bus \[BUS_TOPIC_UNKNOWN\]\n/);
});
