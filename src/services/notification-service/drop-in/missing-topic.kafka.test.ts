/**
 * The drop-in program where its topic is missing: brokers that make topics make it, as for the original; with others the run says which
 * topic and setting, and the first run after the topic was made tells what waited.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launcherOf, runProgram, settingsOf, storageSettings } from '../../../../test/support/drop-in-program.ts';
import { startTestKafka } from '../../../../test/support/kafka.ts';
import { contentOf } from '../../../../test/support/notification-content.ts';
import { createTestDatabase } from '../../../../test/support/postgres.ts';
import { encodeRuleContent } from '../../../contracts/rule-content-gob.ts';
import { createKafkaBus } from '../../../platform/bus/kafka/kafka-bus.ts';
import { plaintext } from '../../../platform/bus/kafka/kafka-security.ts';
import { createSystemClock } from '../../../platform/clock/clock.ts';
import type { Database } from '../../../platform/database/database.ts';

const program = 'ccx-notification-service';
const folder = mkdtempSync(join(tmpdir(), 'ccx-missing-topic-'));
const content = createServer((_request, response) =>
  response.end(encodeRuleContent(contentOf({ TEST_RULE_CRITICAL_IMPACT: { risk: 4, tags: ['openshift'] } }))),
);

before(async () => {
  content.listen(0, '127.0.0.1');
  await once(content, 'listening');
});
after(() => {
  content.closeAllConnections();
  content.close();
  rmSync(folder, { recursive: true });
});

interface Place {
  readonly brokers: readonly string[];
  readonly database: Database;
  readonly topic: string;
  run(): Promise<{ readonly code: number | null; readonly output: string }>;
  /** Values on the topic; the topic is made where it is missing. */
  told(): Promise<number>;
}

async function withBroker(properties: Readonly<Record<string, string>>, work: (place: Place) => Promise<void>) {
  const cluster = await startTestKafka({ properties });
  const context = await createTestDatabase({ migrated: true });
  const topic = `missing-${randomUUID()}`;
  const clock = createSystemClock();
  const bus = createKafkaBus({ brokers: cluster.addresses, clientId: 'test', security: plaintext, clock });
  const settings = {
    ...storageSettings(context.url),
    KAFKA_BROKER__ENABLED: 'true',
    KAFKA_BROKER__ADDRESSES: cluster.addresses.join(','),
    KAFKA_BROKER__TOPIC: topic,
    KAFKA_BROKER__TOTAL_RISK_THRESHOLD: '2',
    KAFKA_BROKER__EVENT_FILTER: 'totalRisk >= totalRiskThreshold',
    SERVICE_LOG__ENABLED: 'false',
    DEPENDENCIES__CONTENT_SERVER: `http://127.0.0.1:${(content.address() as AddressInfo).port}/`,
    DEPENDENCIES__CONTENT_ENDPOINT: 'content',
    METRICS__RETRIES: '1',
    CLEANER__MAX_AGE: '90 days',
  };
  const env = settingsOf(program, settings);
  try {
    await storeReport(context.database);
    await work({
      brokers: cluster.addresses,
      database: context.database,
      topic,
      async run() {
        const args = ['--instant-reports', '--ignore-disabled-rules'];
        const { code, stdout, stderr } = await runProgram(launcherOf(program), args, { cwd: folder, env });
        return { code, output: stdout + stderr };
      },
      async told() {
        await bus.admin.ensureTopics([{ name: topic, partitions: 1 }]);
        const partitions = await bus.admin.lag('test', [topic]);
        return Number(partitions.reduce((sum, { end }) => sum + end, 0n));
      },
    });
  } finally {
    await bus.close();
    await context.drop();
    await cluster.stop();
  }
}

async function storeReport(database: Database): Promise<void> {
  const item = { type: 'rule', component: 'ccx_rules_ocp.external.rules.test_rule.report', details: 'details' };
  const reports = [{ ...item, key: 'TEST_RULE_CRITICAL_IMPACT' }];
  await database.query(
    `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at)
     VALUES (1, 1, '5d5892d4-1f74-4ccf-91af-548dfc9767aa', $1, now() AT TIME ZONE 'UTC')`,
    [JSON.stringify({ analysis_metadata: {}, reports })],
  );
}

test('brokers that make topics make the missing one, and the message is delivered by the first run', async () => {
  await withBroker({ 'auto.create.topics.enable': 'true' }, async ({ run, told }) => {
    const { code, output } = await run();
    assert.equal(code, 0, output);
    assert.doesNotMatch(output, /BUS_TOPIC_UNKNOWN/);
    assert.equal(await told(), 1);
  });
});

test('where brokers make none each run says which topic and setting and does not end well, until the topic is there', async () => {
  await withBroker({}, async ({ run, told, topic }) => {
    for (const what of ['first', 'second']) {
      const { code, output } = await run();
      assert.equal(code, 5, `${what}: ${output}`);
      assert.match(output, new RegExp(`there is no topic ${topic}`), what);
      assert.match(output, /kafka_broker\.topic/, what);
    }
    assert.equal(await told(), 0);
    const { code, output } = await run();
    assert.equal(code, 0, output);
    assert.equal(await told(), 1);
  });
});
