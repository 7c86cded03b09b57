/** The drop-in program's service mode beside a real Kafka: it starts with a database that refuses it, says so, and goes on when that ends. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { freePorts } from '../../../../scripts/kafka/start-kafka.ts';
import { baseEnvironment } from '../../../../test/support/base-environment.ts';
import { launcherOf, settingsOf, storageSettings } from '../../../../test/support/drop-in-program.ts';
import { openTestKafkaBus, startTestKafka, testKafkaBrokers } from '../../../../test/support/kafka.ts';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.ts';
import { reportMessage } from '../../../../test/support/report-messages.ts';
import { temporaryFolder } from '../../../../test/support/temporary-folder.ts';
import type { Bus } from '../../../platform/bus/bus.ts';
import { createSystemClock } from '../../../platform/clock/clock.ts';

const launcher = launcherOf('ccx-notification-writer');
const folder = temporaryFolder();
const clock = createSystemClock();
const topic = `drop-in-${clock.uuid()}`;
const role = `writer_${clock.uuid().replaceAll('-', '')}`;
let context: TestDatabase;
let bus: Bus;

before(async () => {
  context = await createTestDatabase({ migrated: true });
  await context.database.query(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD 'right'`);
  bus = await openTestKafkaBus();
  await bus.admin.ensureTopics([topic, `${topic}-status`].map((name) => ({ name, partitions: 1 })));
});
after(async () => {
  await bus.close();
  await context.database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  await context.drop();
});

/** Only a failing test waits so long. */
const patienceMs = 60_000;

/** The program in its folder, with what differs from a database that refuses it. */
async function launch(change: Readonly<Record<string, string>> = {}) {
  const [port = 0] = await freePorts(1);
  const settings = {
    ...storageSettings(context.url),
    STORAGE__PG_USERNAME: role,
    STORAGE__PG_PASSWORD: 'soon-right',
    BROKER__ADDRESSES: (await testKafkaBrokers()).join(','),
    BROKER__TOPIC: topic,
    BROKER__GROUP: topic,
    BROKER__ENABLED: 'true',
    TRACKER__TOPIC: `${topic}-status`,
    METRICS__ADDRESS: `127.0.0.1:${port}`,
    METRICS__NAMESPACE: 'ccx_notification_writer',
    ...change,
  };
  const child = spawn(launcher, [], {
    cwd: folder,
    env: {
      ...baseEnvironment(),
      ...settingsOf('ccx-notification-writer', settings),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const get = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
    return { status: answer?.status ?? 0, text: (await answer?.text()) ?? '' };
  };
  const until = async (condition: () => Promise<boolean>) => {
    const deadlineMs = clock.monotonicMs() + patienceMs;
    while (!(await condition())) {
      assert.ok(clock.monotonicMs() < deadlineMs, `it never came:\n${output.stdout}${output.stderr}`);
      assert.equal(child.exitCode, null, `it ended:\n${output.stdout}${output.stderr}`);
      await clock.sleep(50);
    }
  };
  return { child, closed, get, until, output };
}

test('writer Q19: a signal ends the service in order; a wrong password does not: /ready says why, and it goes on when the password is right', async () => {
  const { child, closed, get, until, output } = await launch();
  try {
    await until(async () => (await get('/ready')).text.includes('DATABASE_AUTH'));
    assert.equal((await get('/ready')).status, 503);
    assert.match((await get('/ready')).text, /refuses user "writer_/);
    assert.equal((await get('/live')).status, 200);
    const { text } = await get('/metrics');
    assert.match(text, /^ccx_writer_waiting_for_database 1$/m);
    assert.match(text, /^process_open_fds \d/m);

    const producer = await bus.createProducer();
    await producer.send([{ topic, value: reportMessage({ OrgID: '5' }) }]);
    await producer.close();
    await context.database.query(`ALTER ROLE ${role} PASSWORD 'soon-right'`);
    await until(async () => (await get('/ready')).status === 200);
    await until(async () => {
      const { rows } = await context.database.query<{ org_id: number }>('SELECT org_id FROM new_reports');
      return rows[0]?.org_id === 5;
    });
    child.kill('SIGTERM');
    const { stdout, stderr } = output;
    assert.equal((await closed)[0], 0, stdout + stderr);
    assert.equal((await bus.admin.lag(topic, [topic]))[0]?.committed, 1n, 'the offset of what was stored is committed');
    assert.equal(stdout.match(/"level":"error","code":"DATABASE_AUTH"/g)?.length, 1, stdout);
    for (const line of [...stdout.split('\n'), ...stderr.split('\n')]) {
      assert.ok(line === '' || line.startsWith('Clowder') || line.startsWith('{'), line);
    }
  } finally {
    child.kill('SIGKILL');
    await closed;
  }
});

test('brokers that make topics make the one that is missing, and what comes on it is stored', async () => {
  const cluster = await startTestKafka({ properties: { 'auto.create.topics.enable': 'true' } });
  const there = await openTestKafkaBus(cluster.addresses);
  const { child, closed, until } = await launch({
    ...storageSettings(context.url),
    BROKER__ADDRESSES: cluster.addresses.join(','),
  });
  try {
    await until(async () => (await there.admin.listTopics()).includes(topic));
    const producer = await there.createProducer();
    // The group begins at the newest message, once it has begun.
    await until(async () => (await there.admin.lag(topic, [topic])).every(({ committed }) => committed !== null));
    await producer.send([{ topic, value: reportMessage({ OrgID: '6', RequestId: '"another-request"' }) }]);
    await until(async () => {
      const { rows } = await context.database.query('SELECT FROM new_reports WHERE org_id = 6');
      return rows.length === 1;
    });
  } finally {
    child.kill('SIGKILL');
    await closed;
    await there.close();
  }
});
