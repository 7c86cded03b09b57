/**
 * Every role as a process of its own on a Kafka and a PostgreSQL, as docs/roles.md says to run them: an archive goes through all of them,
 * each can be watched and stopped, and each says by name which topic it misses.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parseNotificationMessage } from '../../src/contracts/notification-message.ts';
import { HEADER_MESSAGE_ID, TOPIC_NOTIFICATIONS, TOPIC_OCP_RESULTS } from '../../src/contracts/topics.ts';
import { headerText } from '../../src/platform/bus/bus.ts';
import type { ListedRole } from '../../src/tools/roles/list-roles.ts';
import { runCcx, startCcx } from '../support/ccx-process.ts';
import { startTestKafka } from '../support/kafka.ts';
import { createRoles, openKafka, type RoleName, roleNames, type SeparateRoles } from '../support/separate-roles.ts';
import { until } from '../support/until.ts';

/** Only a failing test waits so long. */
const flowMsMax = 60_000;
const endMsMax = 30_000;
/** Far less than the 30 s that Kubernetes grants; the machine of the test is slow. */
const stopMsMax = 10_000;

const context: { roles?: SeparateRoles; brokers?: readonly string[] } = {};
const roles = (): SeparateRoles => context.roles!;

before(async () => {
  const { addresses } = await startTestKafka();
  context.brokers = addresses;
  context.roles = await createRoles({ brokers: addresses, seed: 'roles' });
});
after(async () => {
  await context.roles?.remove();
});

/** What a role cannot do without, and the setting that names it. Writer and tracker make their dead-letter topics themselves. */
const missed: Readonly<Record<RoleName, RegExp>> = {
  ingress: /there is no topic platform\.upload\.announce on the bus .*\n.*INGRESS_KAFKAANNOUNCETOPIC/,
  'data-pipeline':
    /there is no topic platform\.upload\.announce, ccx\.ocp\.results, dead\.letter\.queue on the bus .*\n.*incoming\.topic .*results\.topic.*dead_letters\.topic/,
  writer: /there is no topic ccx\.ocp\.results on the bus .*\n.*broker\.topic/,
  notifier: /there is no topic platform\.notifications\.ingress on the bus .*\n.*kafka_broker\.topic/,
  tracker: /there is no topic platform\.payload-status on the bus .*\n.*incoming\.topic/,
};

test('an archive goes through five processes to a Kafka message and Service Log entries', async () => {
  // The writer first: it brings the schema up that the notifier demands.
  await roles().start('writer');
  const started = await Promise.all(
    (['ingress', 'data-pipeline', 'notifier', 'tracker'] as const).map((name) => roles().start(name)),
  );
  assert.ok(await roles().upload());
  assert.ok(await roles().upload());
  assert.deepEqual(await roles().complaints(flowMsMax), []);

  const records = await readNotifications();
  assert.deepEqual(
    records.map(({ id, cluster }) => [id.length, cluster]).sort(),
    roles()
      .uploads()
      .map(({ cluster }) => [36, cluster])
      .sort(),
  );
  assert.deepEqual(
    roles()
      .standIns!.serviceLog!.entries()
      .map((entry) => entry.cluster_uuid)
      .sort(),
    roles()
      .uploads()
      .flatMap(({ cluster, findings }) => findings.map(() => cluster))
      .sort(),
    'one entry per finding',
  );
  for (const { name, metricsUrl, readyUrl } of started) {
    const metrics = await fetch(metricsUrl);
    assert.equal(metrics.status, 200, name);
    assert.match(await metrics.text(), /^# TYPE \w+ counter$/m, name);
    const ready = await fetch(readyUrl);
    assert.equal(ready.status, 200, `${name} is ready: ${await ready.text()}`);
  }
});

test('each has its row, with settings whose secrets are masked, and what it is behind', async () => {
  const listed = await listedRoles();
  assert.deepEqual(
    listed.map(({ role, life }) => `${role} ${life}`),
    [...roleNames].sort().map((name) => `${name} alive`),
  );
  const password = new URL(roles().databaseUrl).password;
  assert.ok(password !== '' && !JSON.stringify(listed).includes(password));
  for (const { role, state } of listed) {
    const settings = state['settings'] as { readonly key: string; readonly value: string; readonly origin: string }[];
    const url = settings.find(({ key }) => key === 'database.url') ?? settings.find(({ key }) => /url$/.test(key));
    assert.deepEqual([url?.value, url?.origin], ['(set)', 'environment'], role);
  }
  // Asked for every 15 s, written every 10 s.
  let lag: readonly unknown[] = [];
  await until(async () => {
    const writer = (await listedRoles()).find(({ role }) => role === 'writer')!;
    lag = writer.state['lag'] as readonly unknown[];
    return lag.length > 0;
  });
  assert.deepEqual(
    lag,
    lag.map((_, partition) => ({ topic: TOPIC_OCP_RESULTS, partition, records: 0 })),
  );
});

test('SIGTERM ends each of them with exit code 0, soon', async () => {
  const tookMs = await roles().stopRoles();
  assert.ok(tookMs < stopMsMax, `the slowest took ${tookMs} ms`);
  const stopped = (await listedRoles('--all')).map(({ life }) => life);
  assert.deepEqual(new Set(stopped), new Set(['stopped']));
  assert.deepEqual(await roles().complaints(0), [], 'and all is as it was');
});

test('each role ends in one line that names the topic that is not there, and its setting', async () => {
  const bus = await openKafka(context.brokers!);
  for (const topic of await bus.admin.listTopics()) await bus.admin.deleteTopic(topic);
  await bus.close();
  for (const name of roleNames) {
    const process = startCcx(roles().runOf(name));
    const { code } = await process.exited(endMsMax);
    assert.notEqual(code, 0, name);
    assert.match(process.stderr(), missed[name], name);
    assert.doesNotMatch(process.stderr(), /\n\s+at /, `${name} shows no stack`);
  }
});

async function listedRoles(...flags: readonly string[]): Promise<readonly ListedRole[]> {
  const { stdout, stderr } = await runCcx(['roles', '--json', ...flags, '--database', roles().databaseUrl]);
  assert.equal(stderr, '');
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ListedRole);
}

async function readNotifications(): Promise<{ readonly id: string; readonly cluster: string }[]> {
  const { admin } = roles().bus;
  const found = [];
  for (const { partition, start } of await admin.lag('nobody', [TOPIC_NOTIFICATIONS])) {
    for (const record of await admin.read({ topic: TOPIC_NOTIFICATIONS, partition, offset: start }, 100)) {
      const message = parseNotificationMessage(String(record.value));
      assert.equal(headerText(record, HEADER_MESSAGE_ID), message.id);
      found.push({ id: message.id, cluster: message.context.display_name });
    }
  }
  return found;
}
