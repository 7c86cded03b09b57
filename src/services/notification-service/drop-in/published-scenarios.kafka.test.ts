/**
 * The published black-box scenarios of the notification service that want something on Kafka, in their order: the topic is deleted and the
 * shared tables are emptied before each, and the broker makes the topic when it is asked for. The others are in `program.process.test.ts`.
 * Behind them the one that they do not have: brokers that make no topic.
 */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import type { KafkaCluster } from '../../../../scripts/kafka/start-kafka.ts';
import { launcherOf, runProgram, settingsOf, storageSettings } from '../../../../test/support/drop-in-program.ts';
import { openTestKafkaBus, startTestKafka } from '../../../../test/support/kafka.ts';
import { contentOf } from '../../../../test/support/notification-content.ts';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.ts';
import { temporaryFolder } from '../../../../test/support/temporary-folder.ts';
import { encodeRuleContent } from '../../../contracts/rule-content-gob.ts';
import { TOPIC_NOTIFICATIONS } from '../../../contracts/topics.ts';
import type { Bus } from '../../../platform/bus/bus.ts';

const program = 'ccx-notification-service';
const folder = temporaryFolder();
/** No UUID, as in the scenarios. */
const cluster = '5d5892d4-2g85-4ccf-02bg-548dfc9767aa';
const component = 'ccx_rules_ocp.external.rules.test_rule.report';
const risks = {
  TEST_RULE_CRITICAL_IMPACT: { risk: 4, tags: ['openshift', 'service_availability'] },
  TEST_RULE_IMPORTANT_IMPACT: { risk: 3, tags: ['openshift', 'service_availability'] },
};

let kafka: KafkaCluster;
let bus: Bus;
let context: TestDatabase;
let content: Server;

before(async () => {
  kafka = await startTestKafka({ properties: { 'auto.create.topics.enable': 'true', 'num.partitions': '1' } });
  bus = await openTestKafkaBus(kafka.addresses);
  context = await createTestDatabase({ migrated: true });
  content = createServer((_request, response) => response.end(encodeRuleContent(contentOf(risks))));
  await new Promise<void>((resolve) => content.listen(0, '127.0.0.1', resolve));
});
after(async () => {
  content.closeAllConnections();
  content.close();
  await bus.close();
  await context.drop();
});

beforeEach(async () => {
  await bus.admin.deleteTopic(TOPIC_NOTIFICATIONS).catch(() => undefined);
  await context.database.query('TRUNCATE new_reports, reported, read_errors');
});

async function run(
  settings: Readonly<Record<string, string>> = {},
  more: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; output: string }> {
  const all = {
    ...storageSettings(context.url),
    KAFKA_BROKER__ENABLED: 'true',
    KAFKA_BROKER__ADDRESSES: kafka.addresses.join(','),
    KAFKA_BROKER__TOPIC: TOPIC_NOTIFICATIONS,
    KAFKA_BROKER__TOTAL_RISK_THRESHOLD: '2',
    KAFKA_BROKER__EVENT_FILTER: 'totalRisk >= totalRiskThreshold',
    KAFKA_BROKER__COOLDOWN: '24h',
    SERVICE_LOG__ENABLED: 'false',
    DEPENDENCIES__CONTENT_SERVER: `http://127.0.0.1:${(content.address() as AddressInfo).port}/`,
    ...settings,
  };
  const args = ['--instant-reports', '--ignore-disabled-rules'];
  const env = { ...settingsOf(program, all), ...more };
  const { code, stdout, stderr } = await runProgram(launcherOf(program), args, { cwd: folder, env });
  return { code, output: stdout + stderr };
}

const reportOf = (risk: string) =>
  JSON.stringify({
    analysis_metadata: { metadata: 'some metadata' },
    reports: [{ type: 'rule', component, key: `TEST_RULE_${risk}_IMPACT`, details: 'some details' }],
  });

async function store(...found: ('CRITICAL' | 'IMPORTANT')[]): Promise<void> {
  for (const risk of found) {
    await context.database.query(
      `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at) VALUES (1, 1, $1, $2, clock_timestamp() AT TIME ZONE 'UTC')`,
      [cluster, reportOf(risk)],
    );
  }
}

async function storeSent(age: string, ofCluster = cluster): Promise<void> {
  await context.database.query(
    `INSERT INTO reported (org_id, account_number, cluster, notification_type, state, report, updated_at, notified_at, error_log, event_type_id)
     SELECT 1, 1, $1, 1, 1, $2, moment, moment, '', 1 FROM (SELECT (now() AT TIME ZONE 'UTC') - $3::interval AS moment) AS at`,
    [ofCluster, reportOf('IMPORTANT'), age],
  );
}

/** Cluster and risk of what is in the topic. */
async function messages(from = bus): Promise<string[]> {
  const records = await from.admin
    .read({ topic: TOPIC_NOTIFICATIONS, partition: 0, offset: 0n }, 100)
    .catch((error: { code?: string }) => (error.code === 'BUS_TOPIC_UNKNOWN' ? [] : Promise.reject(error)));
  return records.map(({ value }) => {
    const message = JSON.parse(String(value)) as {
      readonly account_id: string;
      readonly context: { readonly display_name: string };
      readonly events: readonly { readonly payload: { readonly total_risk: string } }[];
    };
    return [message.account_id, message.context.display_name, message.events[0]?.payload.total_risk].join(' ');
  });
}

async function expectMessages(settings: Readonly<Record<string, string>>, ...expected: string[]): Promise<void> {
  const { code, output } = await run(settings);
  assert.equal(code, 0, output);
  assert.deepEqual(await messages(), expected, output);
}

test('nothing in the database: ends with 0', () => expectMessages({}));

test('an important report is one message and one row, and the brokers make the topic', async () => {
  await store('IMPORTANT');
  const { code, output } = await run();
  assert.equal(code, 0, output);
  assert.doesNotMatch(output, /BUS_TOPIC_UNKNOWN/);
  assert.deepEqual(await messages(), [`1 ${cluster} 3`]);
  const { rows } = await context.database.query<{ state: number }>('SELECT state FROM reported');
  assert.deepEqual(rows, [{ state: 1 }]);
});

test('of several new reports of a cluster the newest is notified about', async () => {
  await store('IMPORTANT', 'CRITICAL');
  await expectMessages({}, `1 ${cluster} 4`);
});

test('what was sent about another cluster long ago holds nothing back', async () => {
  await storeSent('30 years', '5d5892d4-1f74-4ccf-91af-548dfc9767aa');
  await store('IMPORTANT', 'CRITICAL');
  await expectMessages({}, `1 ${cluster} 4`);
});

test('the same report again and again is one message', async () => {
  await store('IMPORTANT', 'IMPORTANT', 'IMPORTANT', 'IMPORTANT');
  await expectMessages({}, `1 ${cluster} 3`);
});

test('after the cooldown it is sent again, within it is not', async () => {
  await storeSent('30 years');
  await store('IMPORTANT', 'IMPORTANT');
  await expectMessages({}, `1 ${cluster} 3`);
  await context.database.query('TRUNCATE reported');
  await storeSent('10 seconds');
  await expectMessages({}, `1 ${cluster} 3`);
});

test('a broker that cannot be resolved does not matter beside one that answers', async () => {
  await store('IMPORTANT');
  const addresses = `unknown-host.invalid:9092,${kafka.addresses.join(',')}`;
  await expectMessages({ KAFKA_BROKER__ADDRESSES: addresses }, `1 ${cluster} 3`);
});

test("Kafka's client is loaded where there is something to send, and only there", async () => {
  const told = 'Kafka’s client is loaded';
  const watch = [
    `import { registerHooks } from 'node:module';`,
    `const load = (url, context, next) => {`,
    `  if (url.includes('@platformatic/kafka/dist/index')) console.error(${JSON.stringify(told)});`,
    `  return next(url, context);`,
    `};`,
    `registerHooks({ load });`,
  ].join('\n');
  const watched = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(watch)}` };
  await store('IMPORTANT');
  const first = await run({}, watched);
  assert.match(first.output, new RegExp(told));
  assert.deepEqual(await messages(), [`1 ${cluster} 3`]);
  const second = await run({}, watched);
  assert.equal(second.code, 0, second.output);
  assert.doesNotMatch(second.output, new RegExp(told));
  assert.equal((await messages()).length, 1);
});

test('F13: where brokers make no topic each run says which topic and setting and does not end well, until the topic is there', async () => {
  const strict = await startTestKafka();
  const strictBus = await openTestKafkaBus(strict.addresses);
  const settings = { KAFKA_BROKER__ADDRESSES: strict.addresses.join(','), METRICS__RETRIES: '1' };
  try {
    await store('CRITICAL');
    for (const what of ['first', 'second']) {
      const { code, output } = await run(settings);
      assert.equal(code, 5, `${what}: ${output}`);
      assert.match(output, new RegExp(`there is no topic ${TOPIC_NOTIFICATIONS}`), what);
      assert.match(output, /kafka_broker\.topic/, what);
    }
    await strictBus.admin.ensureTopics([{ name: TOPIC_NOTIFICATIONS, partitions: 1 }]);
    assert.deepEqual(await messages(strictBus), []);
    const { code, output } = await run(settings);
    assert.equal(code, 0, output);
    assert.deepEqual(await messages(strictBus), [`1 ${cluster} 4`]);
  } finally {
    await strictBus.close();
  }
});
