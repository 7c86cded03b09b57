/**
 * The drop-in program as cron jobs and the published black-box suite use it: started by its launcher, configured by environment, judged by
 * output, exit code, tables and what arrives at Service Log (notification-service.md 16). Kafka as target is `ccx notifier`'s own test.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type FinishedProgram,
  launcherOf,
  runProgram,
  settingsOf,
  storageSettings,
} from '../../../../test/support/drop-in-program.ts';
import { contentOf } from '../../../../test/support/notification-content.ts';
import { createTestDatabase, createTestRole, type TestDatabase } from '../../../../test/support/postgres.ts';
import { temporaryFolder } from '../../../../test/support/temporary-folder.ts';
import { unusedPort } from '../../../../test/support/test-server.ts';
import {
  type FakeServiceLog,
  startFakeServiceLog,
} from '../../../all-in-one/stand-ins/service-log/fake-service-log.ts';
import {
  type FakeTokenEndpoint,
  startFakeTokenEndpoint,
} from '../../../all-in-one/stand-ins/token-endpoint/fake-token-endpoint.ts';
import { encodeRuleContent } from '../../../contracts/rule-content-gob.ts';
import { createSystemClock } from '../../../platform/clock/clock.ts';
import { migrateCcx } from '../../../platform/database/ccx-migrations.ts';
import { grantStatements } from '../../../tools/database/grants.ts';
import { bringUp, listParts } from '../../../tools/database/schema-parts.ts';
import { goDuration } from './show-configuration.ts';

const ownProgram = fileURLToPath(new URL('../../../bin/ccx', import.meta.url));
const launcher = launcherOf('ccx-notification-service');
const folder = temporaryFolder();
const cluster = '5d5892d4-1f74-4ccf-91af-548dfc9767aa';
const component = 'ccx_rules_ocp.external.rules.test_rule.report';
const risks = {
  TEST_RULE_CRITICAL_IMPACT: { risk: 4, tags: ['openshift', 'service_availability'] },
  TEST_RULE_LOW_IMPACT: { risk: 1, tags: ['openshift', 'service_availability'] },
};

let servers: { content: Server; serviceLog: FakeServiceLog; tokens: FakeTokenEndpoint };
let context: TestDatabase;
let environment: Readonly<Record<string, string>>;

before(async () => {
  const clock = createSystemClock();
  servers = {
    content: await startContentAndRenderer(),
    serviceLog: await startFakeServiceLog({ clock }),
    tokens: await startFakeTokenEndpoint(clock),
  };
});
after(async () => {
  servers.content.closeAllConnections();
  await new Promise((resolve) => servers.content.close(resolve));
  await servers.serviceLog.stop();
  await servers.tokens.stop();
});

beforeEach(async () => {
  context = await createTestDatabase({ migrated: true });
  const services = `http://127.0.0.1:${(servers.content.address() as AddressInfo).port}`;
  environment = prefixed({
    ...storageSettings(context.url),
    KAFKA_BROKER__ENABLED: 'false',
    KAFKA_BROKER__TOPIC: 'platform.notifications.ingress',
    SERVICE_LOG__ENABLED: 'true',
    SERVICE_LOG__CLIENT_ID: 'CLIENT_ID',
    SERVICE_LOG__CLIENT_SECRET: 'CLIENT_SECRET',
    SERVICE_LOG__URL: servers.serviceLog.postUrl,
    SERVICE_LOG__TOKEN_URL: servers.tokens.tokenUrl,
    SERVICE_LOG__TOTAL_RISK_THRESHOLD: '2',
    SERVICE_LOG__EVENT_FILTER: 'totalRisk >= totalRiskThreshold',
    SERVICE_LOG__COOLDOWN: '24h',
    SERVICE_LOG__TAG_FILTER_ENABLED: 'true',
    SERVICE_LOG__TAGS: '[osd_customer]',
    SERVICE_LOG__RULE_DETAILS_URI: 'https://console.redhat.com/openshift/{module}|{error_key}',
    DEPENDENCIES__CONTENT_SERVER: `${services}/api/v1/`,
    DEPENDENCIES__CONTENT_ENDPOINT: 'content',
    DEPENDENCIES__TEMPLATE_RENDERER_SERVER: `${services}/`,
    DEPENDENCIES__TEMPLATE_RENDERER_ENDPOINT: 'rendered_reports',
    METRICS__NAMESPACE: 'ccx_notification_service',
    METRICS__RETRIES: '1',
    CLEANER__MAX_AGE: '90 days',
  });
});
afterEach(() => context.drop());

const prefixed = (settings: Readonly<Record<string, string>>) => settingsOf('ccx-notification-service', settings);

/** The content service and the template renderer of the black-box suite, on one port. */
async function startContentAndRenderer(): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url === '/api/v1/content') {
      response.end(encodeRuleContent(contentOf(risks)));
      return;
    }
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      const { report_data } = JSON.parse(body) as {
        report_data: { reports: Record<string, { reports: { component: string; key: string }[] }> };
      };
      const reports = Object.entries(report_data.reports).map(([name, { reports: items }]) => [
        name,
        items.map(({ component: of, key }) => ({
          rule_id: of.replace(/\.report$/, ''),
          error_key: key,
          description: `description of ${key}`,
          reason: `reason of ${key}`,
          resolution: '',
        })),
      ]);
      response
        .setHeader('Content-Type', 'application/json')
        .end(JSON.stringify({ clusters: Object.keys(report_data.reports), reports: Object.fromEntries(reports) }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

interface Finished extends FinishedProgram {
  /** As the suite reads it. */
  readonly output: string;
}

async function run(
  args: readonly string[],
  settings: Readonly<Record<string, string>> = {},
  program = launcher,
): Promise<Finished> {
  const env = { ...environment, ...prefixed(settings) };
  const finished = await runProgram(program, args, { cwd: folder, env });
  return { ...finished, output: finished.stdout + finished.stderr };
}

const instant = ['--instant-reports', '--ignore-disabled-rules'];

async function storeReport(...errorKeys: string[]): Promise<void> {
  const reports = errorKeys.map((key) => ({ type: 'rule', component, key, details: 'details' }));
  await context.database.query(
    `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at) VALUES (1, 1, $1, $2, now() AT TIME ZONE 'UTC')`,
    [cluster, JSON.stringify({ analysis_metadata: {}, reports })],
  );
}

/** A `sent` row of somebody else. */
async function storeSent(target: number, age: string): Promise<void> {
  const report = { reports: [{ type: 'rule', component, key: 'TEST_RULE_CRITICAL_IMPACT', details: '' }] };
  await context.database.query(
    `INSERT INTO reported (org_id, account_number, cluster, notification_type, state, report, updated_at, notified_at, error_log, event_type_id)
     SELECT 1, 1, $1, 1, 1, $2, moment, moment, '', $3 FROM (SELECT (now() AT TIME ZONE 'UTC') - $4::interval AS moment) AS at`,
    [cluster, JSON.stringify(report), target, age],
  );
}

function pick(from: object, keys: readonly string[]) {
  return Object.fromEntries(Object.entries(from).filter(([key]) => keys.includes(key)));
}

async function states(): Promise<number[]> {
  const { rows } = await context.database.query<{ state: number }>('SELECT state FROM reported ORDER BY notified_at');
  return rows.map(({ state }) => state);
}

/** Entries that arrived since the last call. */
let seen = 0;
function newEntries() {
  const entries = servers.serviceLog.entries();
  const fresh = entries.slice(seen);
  seen = entries.length;
  return fresh;
}

describe('the command line', () => {
  test('help lists the flags that the black-box suite looks for', async () => {
    const help = await run(['-help']);
    assert.equal(help.code, 0);
    assert.ok(help.stderr.startsWith('Usage of ccx-notification-service:\n'));
    for (const line of [
      '  -cleanup-on-startup',
      '  -instant-reports',
      '  -max-age string',
      '  -new-reports-cleanup',
      '  -old-reports-cleanup',
      '  -print-new-reports-for-cleanup',
      '  -print-old-reports-for-cleanup',
      '  -show-authors',
      '  -show-configuration',
      '  -show-version',
    ]) {
      assert.ok(help.stderr.split('\n').includes(line), line);
    }
  });

  test('the configuration is shown in its sections, without secrets', async () => {
    const shown = await run(['--show-configuration']);
    assert.equal(shown.code, 0);
    for (const section of [
      'parsing configuration file',
      'Broker configuration',
      'ServiceLog configuration',
      'Storage configuration',
      'Dependencies configuration',
      'Logging configuration',
      'Notifications configuration',
      'Metrics configuration',
    ]) {
      assert.ok(shown.output.includes(section), section);
    }
    assert.ok(!shown.output.includes('CLIENT_SECRET') && !shown.output.includes('ClusterName'));
    const serviceLog = shown.stdout.split('\n').find((line) => line.includes('ServiceLog configuration'))!;
    assert.deepEqual(Object.keys(JSON.parse(serviceLog) as object), [
      ...['level', 'Enabled', 'ClientID', 'Created by', 'Username', 'Likelihood threshold', 'Impact threshold'],
      ...['Severity threshold', 'Total risk threshold', 'CoolDown', 'Event filter', 'OCM URL', 'Filter by tags'],
      ...['List of tags', 'time', 'message'],
    ]);
    assert.match(serviceLog, /"ClientID":"CLIENT_ID"/);
    assert.deepEqual([3e-5, 0.0025].map(goDuration), ['30ns', '2.5µs']);
    assert.deepEqual([0, 15_000, 60_000, 90_500, 3_600_000, 250].map(goDuration), [
      '0s',
      '15s',
      '1m0s',
      '1m30.5s',
      '1h0m0s',
      '250ms',
    ]);
  });

  test('with a file the environment counts for its keys only, lists included', async () => {
    const file = join(folder, 'shipped.toml');
    writeFileSync(file, '[kafka_broker]\ntopic = "in.file"\ntags = ["a"]\n[service_log]\nusername = "in file"\n');
    environment = { ...environment, CCX_NOTIFICATION_SERVICE_CONFIG_FILE: file };
    const shown = await run(['--show-configuration'], {
      KAFKA_BROKER__TOPIC: 'of.environment',
      KAFKA_BROKER__TAGS: 'b,c',
      SERVICE_LOG__CREATED_BY: 'of environment',
    });
    assert.match(shown.output, /"filename":"shipped"/);
    assert.match(shown.output, /"Topic":"of.environment"/);
    assert.match(shown.output, /"List of tags":\["b","c"\]/);
    assert.match(shown.output, /"Created by":"","Username":"in file"/);
    environment = { ...environment, CCX_NOTIFICATION_SERVICE_CONFIG_FILE: join(folder, 'absent') };
    const absent = await run(['--show-configuration']);
    assert.deepEqual([absent.code, /fatal error config file:/.test(absent.stderr)], [1, true]);
  });
});

describe('a run', () => {
  test('without reports ends with 0', async () => {
    assert.equal((await run(instant)).code, 0);
    assert.deepEqual(await states(), []);
  });

  test('tells Service Log once per issue, and the same report is no news', async () => {
    await storeReport('TEST_RULE_CRITICAL_IMPACT', 'TEST_RULE_LOW_IMPACT');
    const first = await run(instant);
    assert.equal(first.code, 0, first.output);
    const [entry, ...others] = newEntries();
    assert.equal(others.length, 0);
    assert.equal(entry!.summary, 'description of TEST_RULE_CRITICAL_IMPACT');
    assert.match(entry!.description, /^reason of TEST_RULE_CRITICAL_IMPACT\n\n\[More details\]\(https:.*\)\.$/);
    assert.ok(first.output.includes('Report with impact higher than configured threshold detected'));
    assert.ok(!first.output.includes('No new issues to notify'));
    assert.equal((await run(instant)).code, 0);
    await storeReport('TEST_RULE_CRITICAL_IMPACT', 'TEST_RULE_LOW_IMPACT');
    const repeated = await run(instant);
    assert.ok(repeated.output.includes('No new issues to notify'));
    assert.equal(newEntries().length, 0);
    assert.deepEqual(await states(), [1, 2, 2]);
  });

  test('-dry-run, which the help does not name, prints what the run would send and does none of it', async () => {
    await storeReport('TEST_RULE_CRITICAL_IMPACT', 'TEST_RULE_LOW_IMPACT');
    const dry = await run([...instant, '-dry-run', '--cleanup-on-startup']);
    assert.equal(dry.code, 0, dry.output);
    const lines = dry.stdout.split('\n').flatMap((line) => {
      const printed = line.startsWith('{"kind"') ? [JSON.parse(line) as Record<string, unknown>] : [];
      return printed;
    });
    assert.deepEqual(
      lines.map(({ kind }) => kind),
      ['cluster', 'summary'],
    );
    const [{ issues, messages }] = lines as [
      { issues: { errorKey: string; reason: string }[]; messages: { body: string }[] },
    ];
    assert.deepEqual(
      issues.map(({ errorKey, reason }) => [errorKey, reason]),
      [
        ['TEST_RULE_CRITICAL_IMPACT', 'new'],
        ['TEST_RULE_LOW_IMPACT', 'below-threshold'],
      ],
    );
    assert.equal(newEntries().length, 0);
    assert.deepEqual(await states(), []);
    const { rows } = await context.database.query(`SELECT FROM pg_namespace WHERE nspname = 'ccx'`);
    assert.equal(rows.length, 0);
    assert.equal((await run([...instant, '-dry-run', '-cluster', 'x'])).code, 1);
    await run(instant);
    const [entry] = newEntries();
    const { event_stream_id: _, created_by: __, ...said } = JSON.parse(messages[0]!.body) as Record<string, string>;
    assert.deepEqual(said, pick(entry!, Object.keys(said)));
  });

  test('tells low risks where the threshold lets them, and the tags of the environment do not count without a file', async () => {
    await storeReport('TEST_RULE_LOW_IMPACT');
    await run(instant);
    assert.equal(newEntries().length, 0);
    await run(instant, { SERVICE_LOG__TOTAL_RISK_THRESHOLD: '0' });
    assert.equal(newEntries().length, 1);
  });

  test('respects sent rows of its target and cooldown, whoever wrote them', async () => {
    await storeSent(2, '10 seconds');
    await storeReport('TEST_RULE_CRITICAL_IMPACT');
    await run(instant);
    assert.equal(newEntries().length, 0);
  });

  test('is not kept from telling by old rows, or by rows of the other target', async () => {
    await storeSent(2, '30 years');
    await storeSent(1, '10 seconds');
    await storeReport('TEST_RULE_CRITICAL_IMPACT');
    await run(instant);
    assert.equal(newEntries().length, 1);
  });

  test('without its renderer tells nothing, says so, ends with 0 and makes good', async () => {
    await storeReport('TEST_RULE_CRITICAL_IMPACT');
    const failed = await run(instant, { DEPENDENCIES__TEMPLATE_RENDERER_SERVER: 'http://127.0.0.1:1' });
    assert.equal(failed.code, 0, failed.output);
    assert.ok(failed.output.includes('Rendering reports failed for this cluster'));
    assert.equal(newEntries().length, 0);
    await run(instant);
    assert.equal(newEntries().length, 1);
    assert.deepEqual(await states(), [4, 1]);
  });

  test('deletes old rows first where it is asked to', async () => {
    await storeSent(1, '100 days');
    assert.equal((await run([...instant, '--cleanup-on-startup'])).code, 0);
    assert.deepEqual(await states(), []);
  });
});

describe('old rows', () => {
  test('are printed and deleted by table and age', async () => {
    await storeSent(1, '100 days');
    await storeSent(1, '20 days');
    const printed = await run(['--print-old-reports-for-cleanup']);
    assert.equal(printed.code, 0);
    assert.match(printed.output, /"select statement":"[^"]*FROM reported[^"]*".*PrintReportsForCleanup operation/);
    assert.equal(printed.output.match(/Old report from `reported` table/g)?.length, 1);
    assert.match(
      printed.output,
      /"Organization ID":1,"Account number":1,"Cluster name":"5d58.*","Updated at":".*Z","Age":10[01]/,
    );
    const deleted = await run(['--old-reports-cleanup', '--max-age', '10 days']);
    assert.match(deleted.output, /Cleanup operation for all organizations/);
    assert.match(deleted.output, /"Rows deleted":2.*Cleanup `reported` finished/);
    await storeReport('TEST_RULE_LOW_IMPACT');
    await migrateCcx(context.database, 'records');
    await context.database.query(
      `INSERT INTO ccx.report_facts (org_id, cluster, updated_at, request_id, last_checked)
       SELECT org_id, cluster, updated_at, '', updated_at FROM new_reports`,
    );
    const others = await run(['--new-reports-cleanup', '--max-age=0 days']);
    assert.equal((await context.database.query('SELECT FROM ccx.report_facts')).rowCount, 0);
    assert.match(others.output, /FROM new_reports/);
    assert.match(others.output, /"Rows deleted":1.*Cleanup `new_reports` finished/);
    assert.equal((await run(['--print-new-reports-for-cleanup'])).code, 0);
  });

  test('that a cooldown counts by stay, said before anything is deleted, also before the first run of all', async () => {
    for (const age of ['2 hours', '25 hours', '20 days']) await storeSent(2, age);
    const printed = await run(['--print-old-reports-for-cleanup', '--max-age', '1 hour']);
    assert.equal(printed.output.match(/Old report from `reported` table/g)?.length, 2);
    const deleted = await run(['--old-reports-cleanup', '--max-age', '1 hour']);
    assert.match(
      deleted.output,
      /age of 1 hour is shorter than the cooldown of 24h: rows of reported that it counts by/,
    );
    assert.match(deleted.output, /"Rows deleted":2.*Cleanup `reported` finished/);
    assert.equal((await run([...instant, '--cleanup-on-startup', '--max-age', '1 hour'])).code, 0);
    assert.deepEqual(await states(), [1]);
  });
});

test('after ccx db init the right to read and write data is enough for a run and for the clean-ups', async () => {
  const role = await createTestRole(context, (user) => [
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${user}`,
  ]);
  const as = { STORAGE__PG_USERNAME: role.user, STORAGE__PG_PASSWORD: new URL(role.url).password };
  try {
    await storeReport('TEST_RULE_CRITICAL_IMPACT');
    const refused = await run(instant, as);
    assert.equal(refused.code, 3, refused.output);
    assert.match(refused.output, /ccx db init/);
    assert.match(refused.output, /GRANT CREATE ON DATABASE/);

    for (const part of await listParts()) await bringUp(context.database, part, { create: true });
    for (const grant of grantStatements(role.user, { embeddedBus: false })) await context.database.query(grant);
    const { rows } = await context.database.query<{ may: boolean }>(
      `SELECT has_schema_privilege($1, 'ccx', 'CREATE') OR has_schema_privilege($1, 'public', 'CREATE')
              OR has_database_privilege($1, current_database(), 'CREATE') AS may`,
      [role.user],
    );
    assert.equal(rows[0]!.may, false);
    newEntries();
    for (const code of [0, 0]) {
      const done = await run(instant, as);
      assert.equal(done.code, code, done.output);
    }
    assert.equal(newEntries().length, 1, 'told once');
    const cleaned = await run(['-new-reports-cleanup', '-max-age=0 days'], as);
    assert.equal(cleaned.code, 0, cleaned.output);
  } finally {
    await role.remove();
  }
});

describe('a run that delivers nothing of what is due', () => {
  /** An address where nobody listens any more. */
  async function nobody(): Promise<Record<string, string>> {
    return { SERVICE_LOG__URL: `http://127.0.0.1:${await unusedPort()}/api/service_logs/v1/cluster_logs` };
  }

  test('ends with 0 as in the reference, says so, and does not look for long where nobody listens', async () => {
    await storeReport('TEST_RULE_CRITICAL_IMPACT');
    const started = performance.now();
    const finished = await run(instant, await nobody());
    assert.equal(finished.code, 0);
    assert.match(finished.output, /there was something to deliver, and nothing was delivered/);
    assert.deepEqual(await states(), [4]);
    // A minute before; the bound is wide because the machine may be busy.
    assert.ok(performance.now() - started < 30_000);
    await run(instant);
    assert.deepEqual(await states(), [4, 1]);
    newEntries();
  });

  const anyTag = { SERVICE_LOG__TAG_FILTER_ENABLED: 'false' };

  test('of our own role it ends with 13', async () => {
    await storeReport('TEST_RULE_CRITICAL_IMPACT');
    const finished = await run(['notifier', '--once'], { ...(await nobody()), ...anyTag }, ownProgram);
    assert.equal(finished.code, 13, finished.output);
    assert.match(finished.stderr, /nothing was delivered to service-log .*NOTHING_DELIVERED/);
    assert.equal((await run(['notifier', '--once'], anyTag, ownProgram)).code, 0);
    newEntries();
  });
});
