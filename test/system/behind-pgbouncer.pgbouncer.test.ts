/**
 * Writer, notifier and tracker as processes of their own behind a PgBouncer in transaction mode, the embedded bus in the same database behind
 * it too, with a crowd of other clients on its two server sessions: nothing may need a session of its own. The sessions that the server
 * begins by itself are in another zone and date style, and PgBouncer drops `options`.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { parseNotificationMessage } from '../../src/contracts/notification-message.ts';
import { serializePayloadStatus } from '../../src/contracts/payload-status.ts';
import { TOPIC_NOTIFICATIONS, TOPIC_OCP_RESULTS, TOPIC_PAYLOAD_STATUS } from '../../src/contracts/topics.ts';
import { createPostgresBus, type PostgresBus } from '../../src/platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { connectDatabase } from '../../src/platform/database/connect-database.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { type CcxProcess, runCcx, startCcx } from '../support/ccx-process.ts';
import { startCrowd, startPgBouncer } from '../support/pgbouncer.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { reportMessage } from '../support/report-messages.ts';

const reports = 40;
const crowdClients = 50;
/** Only a failing test waits so long. */
const flowMsMax = 120_000;
const stopMsMax = 30_000;
/** More than one full sweep of the notifier, as it is set here. */
const sweepsMs = 3_000;

const clock = createSystemClock();
let context: TestDatabase;
let pooledUrl: string;
let pooled: Database;
let bus: PostgresBus;
let leaveCrowd: () => Promise<number>;
const roles = new Map<string, CcxProcess>();

before(async () => {
  context = await createTestDatabase({ migrated: true });
  const name = new URL(context.url).pathname.slice(1);
  await context.database.query(`ALTER DATABASE ${name} SET TimeZone TO 'Asia/Tokyo'`);
  await context.database.query(`ALTER DATABASE ${name} SET DateStyle TO 'German'`);
  pooledUrl = await startPgBouncer(context.url);
  leaveCrowd = await startCrowd(pooledUrl, crowdClients);
  pooled = connectDatabase({ url: pooledUrl, applicationName: 'test' });
  bus = await createPostgresBus({ database: pooled, clock });
  await bus.admin.ensureTopics(
    [TOPIC_OCP_RESULTS, TOPIC_NOTIFICATIONS, TOPIC_PAYLOAD_STATUS].map((topic) => ({ name: topic, partitions: 2 })),
  );
});
after(async () => {
  for (const role of roles.values()) role.kill('SIGKILL');
  await leaveCrowd?.();
  await bus?.close();
  await pooled?.close();
  await context?.drop();
});

function start(role: string, env: Readonly<Record<string, string>>): CcxProcess {
  const process = startCcx({ args: [role, '--bus', 'postgres'], env: { CCX_DATABASE_URL: pooledUrl, ...env } });
  roles.set(role, process);
  return process;
}

async function until(question: () => Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = clock.monotonicMs() + flowMsMax;
  while (!(await question())) {
    if (clock.monotonicMs() > deadlineMs) {
      throw new Error(
        `${what}:\n${[...roles].map(([role, { stdout, stderr }]) => `${role} ${stdout().slice(-2_000)}${stderr()}`).join('\n')}`,
      );
    }
    await clock.sleep(100);
  }
}

const count = async (statement: string) => (await context.database.query<{ n: number }>(statement)).rows[0]!.n;

async function notified(): Promise<string[]> {
  const found: string[] = [];
  for (const { partition, start: offset } of await bus.admin.lag('nobody', [TOPIC_NOTIFICATIONS])) {
    const records = await bus.admin.read({ topic: TOPIC_NOTIFICATIONS, partition, offset }, 1_000);
    found.push(...records.map((record) => parseNotificationMessage(String(record.value)).context.display_name));
  }
  return found.sort();
}

test('the writer stores all, the notifier tells each once, the tracker keeps all', async () => {
  const clusters = Array.from({ length: reports }, () => randomUUID()).sort();
  const requestId = (index: number) => `behind-a-pooler-${index}`;
  const producer = await bus.createProducer();
  const send = (first: number, last: number) =>
    producer.send(
      clusters.slice(first, last).flatMap((cluster, at) => [
        {
          topic: TOPIC_OCP_RESULTS,
          key: cluster,
          value: reportMessage({
            ClusterName: JSON.stringify(cluster),
            LastChecked: JSON.stringify(clock.now().toISOString()),
            RequestId: JSON.stringify(requestId(first + at)),
            Report: JSON.stringify({
              fingerprints: [],
              reports: [
                {
                  rule_id: 'control_plane_replicas|CONTROL_PLANE_NODE_REPLICAS',
                  component: 'ccx_rules_ocp.external.rules.control_plane_replicas.report',
                  type: 'rule',
                  key: 'CONTROL_PLANE_NODE_REPLICAS',
                  details: { type: 'rule', error_key: 'CONTROL_PLANE_NODE_REPLICAS', replicas: 1 },
                },
              ],
              system: {},
            }),
          }),
        },
        {
          topic: TOPIC_PAYLOAD_STATUS,
          value: serializePayloadStatus({
            service: 'ingress',
            request_id: requestId(first + at),
            status: 'received',
            date: clock.now().toISOString(),
          }),
        },
      ]),
    );
  await send(0, reports / 2);
  start('writer', { CCX_NOTIFICATION_WRITER__METRICS__ADDRESS: '127.0.0.1:0' });
  start('tracker', { CCX_TRACKER__HTTP__HOST: '127.0.0.1', CCX_TRACKER__HTTP__PORT: '0' });
  start('notifier', {
    CCX_NOTIFICATION_SERVICE__OPERATIONS__HOST: '127.0.0.1',
    CCX_NOTIFICATION_SERVICE__OPERATIONS__PORT: '0',
    CCX_NOTIFICATION_SERVICE__FOLLOW__POLL: '500ms',
    CCX_NOTIFICATION_SERVICE__FOLLOW__FULL_SWEEP: '2s',
  });
  await until(async () => (await notified()).length >= reports / 2, 'the first half is notified');
  await send(reports / 2, reports);
  await producer.close();
  await until(async () => (await notified()).length >= reports, 'the second half is notified');
  await until(
    async () => (await count(`SELECT count(*)::int AS n FROM ccx.roles WHERE state->'ready' = 'true'`)) === 3,
    'each role has its row',
  );
  await until(
    async () => (await count(`SELECT count(*)::int AS n FROM ccx.trace WHERE service = 'ingress'`)) >= reports,
    'the tracker has all',
  );
  // Sweeps over everything meanwhile tell nothing twice.
  await clock.sleep(sweepsMs);
  assert.deepEqual(await notified(), clusters);
  assert.equal(await count('SELECT count(*)::int AS n FROM new_reports'), reports);
  assert.equal(
    await count(`SELECT count(DISTINCT request_id)::int AS n FROM ccx.trace WHERE service = 'ingress'`),
    reports,
  );
  assert.equal(await count('SELECT count(*)::int AS n FROM reported WHERE state = 1'), reports);
  const { rows } = await context.database.query<{ seconds: number }>(
    `SELECT max(abs(extract(epoch FROM updated_at - (now() AT TIME ZONE 'UTC'))))::float8 AS seconds FROM new_reports`,
  );
  assert.ok(rows[0]!.seconds < flowMsMax / 1000, 'rows are in UTC, whatever the server begins its sessions with');

  for (const [role, process] of roles) {
    process.kill('SIGTERM');
    assert.deepEqual(await process.exited(stopMsMax), { code: 0, signal: null }, `${role}: ${process.stderr()}`);
    const lines = process.stdout() + process.stderr();
    assert.doesNotMatch(lines, /42P05|26000|34000|UNKNOWN|\n\s+at /, role);
    assert.ok(lines.match(/LISTEN is not available/g)!.length <= 2, `${role} says once per use that it polls`);
  }
  roles.clear();
});

test('commands and a one-shot run work there, too', async () => {
  const env = { CCX_DATABASE_URL: pooledUrl };
  const once = await runCcx(['notifier', '--once', '--bus', 'postgres'], env);
  assert.equal(once.code, 0, once.stderr);
  const { rows } = await context.database.query<{ cluster: string }>(
    'SELECT rtrim(cluster) AS cluster FROM new_reports LIMIT 1',
  );
  const explained = await runCcx(['explain', rows[0]!.cluster], env);
  assert.equal(explained.code, 0, explained.stderr);
  assert.match(explained.stdout, /CONTROL_PLANE_NODE_REPLICAS/);
  const traced = await runCcx(['trace', 'behind-a-pooler-0'], env);
  assert.equal(traced.code, 0, traced.stderr);
  const aged = await context.database.query(`UPDATE ccx.trace SET recorded_at = recorded_at - interval '100 days'`);
  const cleaned = await runCcx(['db', 'cleanup', '--older-than', '90d', '--json'], env);
  assert.equal(cleaned.code, 0, cleaned.stderr);
  const { tables } = JSON.parse(cleaned.stdout) as { tables: { table: string; deleted: number }[] };
  assert.deepEqual(
    tables.filter(({ deleted }) => deleted > 0),
    [{ table: 'trace', found: aged.rowCount, deleted: aged.rowCount }],
  );
});

test('LISTEN is refused by name, and server settings of the URL that the pooler drops are, too', async () => {
  await assert.rejects(
    pooled.listen('anything', () => undefined),
    { code: 'DATABASE_POOLED' },
  );
  const asking = connectDatabase({ url: `${pooledUrl}&search_path=public&geqo=off`, applicationName: 'test' });
  await assert.rejects(asking.query('SELECT 1'), { code: 'DATABASE_SESSION', message: /"(search_path|geqo)"/ });
  await asking.close();
  const strict = await startPgBouncer(context.url, 'extra_float_digits');
  const plain = connectDatabase({ url: strict, applicationName: 'test' });
  await plain.check();
  await plain.close();
  const refused = connectDatabase({ url: `${strict}&geqo=off`, applicationName: 'test' });
  await assert.rejects(refused.query('SELECT 1'), { code: 'DATABASE_REFUSED', retryable: false });
  await refused.close();
});

test('no plan is kept in a session that is not our own', async () => {
  for (let times = 0; times < 20; times += 1) {
    await pooled.query('SELECT $1::int AS n', [times], { plan: 'kept' });
    await pooled.transaction((tx) => tx.query('SELECT $1::text AS t', [`${times}`]), { plan: 'kept' });
  }
  for (let times = 0; times < 20; times += 1) {
    assert.deepEqual((await pooled.query('SELECT name FROM pg_prepared_statements')).rows, []);
  }
});

test('the crowd really changed sessions', async () => {
  assert.equal(await leaveCrowd(), 2);
  leaveCrowd = async () => 0;
});
