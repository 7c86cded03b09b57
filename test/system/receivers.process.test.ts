/** `ccx receivers` as a person uses it, and the verifiers of docs/receivers.md as they stand there, over what was really sent. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { repositoryRoot } from '../../scripts/docs/source-tree.ts';
import { startCcx } from '../support/ccx-process.ts';
import { emailEntry, startMailServer } from '../support/mail-server.ts';
import { reportOf, testCluster } from '../support/notification-timeline.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { temporaryFile } from '../support/temporary-folder.ts';
import { unusedPort } from '../support/test-server.ts';
import { receiversToml, webhookEntry } from '../support/webhook-receiver.ts';
import { oldSigningKey, startWebhookSink, testSigningKey, type WebhookSink } from '../support/webhook-sink.ts';

async function runCcx(args: readonly string[]) {
  const process = startCcx({ args });
  const { code } = await process.exited(120_000);
  return { code, stdout: process.stdout(), stderr: process.stderr() };
}

let sink: WebhookSink;
let storage: Awaited<ReturnType<typeof createTestDatabase>>;
let config: string;

before(async () => {
  sink = await startWebhookSink();
  storage = await createTestDatabase({ migrated: true, sets: ['notifier', 'records', 'trace'] });
  const above = '[kafka_broker]\nenabled = false\n[operations]\nport = 0';
  config = temporaryFile('notifier.toml', receiversToml([webhookEntry(sink.url)], above));
});

after(async () => {
  sink.close();
  await storage.drop();
});

const page = readFileSync(join(repositoryRoot, 'docs/receivers.md'), 'utf8');

function codeOf(language: string, first: string): string {
  const blocks = [...page.matchAll(/```(\w+)\n([\s\S]*?)```/g)];
  const found = blocks.find(([, name, code]) => name === language && code!.startsWith(first));
  assert.ok(found !== undefined, `${language} ${first}`);
  return found[2]!;
}

test('a test message arrives, is refused in words, and names nobody that there is not', async () => {
  const sent = await runCcx(['receivers', 'test', 'tickets', '--config', config]);
  assert.equal(sent.code, 0, sent.stderr);
  assert.match(sent.stdout, /^http:\/\/127\.0\.0\.1:\d+\/… took message [0-9a-f-]{36}: answered 204\n$/);
  sink.answer = () => ({ status: 401 });
  const refused = await runCcx(['receivers', 'test', 'tickets', '--config', config]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /the receiver answers 401 Unauthorized/);
  assert.doesNotMatch(refused.stderr + refused.stdout, /s3cret|whsec_/);
  sink.answer = () => ({ status: 204 });
  const unknown = await runCcx(['receivers', 'test', 'nobody', '--config', config]);
  assert.match(unknown.stderr, /there is no receiver nobody[\s\S]*there are tickets/);
});

test('what would go out is shown, then told by a cron job, and the list says so', async () => {
  const database = ['--database', storage.url];
  await storage.database.query(
    `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at)
     VALUES (7, 7, $1, $2, clock_timestamp() AT TIME ZONE 'UTC')`,
    [testCluster, reportOf('CRITICAL').replaceAll('test_rule', 'nodes_kubelet_version_check')],
  );
  const preview = await runCcx(['receivers', 'preview', 'tickets', '--config', config, ...database]);
  assert.equal(preview.code, 0, preview.stderr);
  assert.match(preview.stdout, /^to http:\/\/127\.0\.0\.1:\d+\/… \(webhook\)\n/);
  const run = await runCcx(['notifier', '--once', '--config', config, ...database]);
  assert.equal(run.code, 0, run.stderr);
  const list = await runCcx(['receivers', 'list', '--config', config, ...database, '--json']);
  const row = JSON.parse(list.stdout) as Record<string, unknown>;
  assert.deepEqual(
    [row['id'], row['name'], row['type'], row['waiting'], row['dead']],
    [1000, 'tickets', 'webhook', 0, 0],
  );
  assert.doesNotMatch(list.stdout + preview.stdout, /s3cret|whsec_/);
  const resumed = await runCcx(['receivers', 'resume', 'tickets', ...database]);
  assert.equal(resumed.stdout, 'tickets was not paused\n');
});

test('each recipient of mails is tested and listed by itself, or all of them by the name of the receiver', async () => {
  const server = await startMailServer();
  try {
    server.answerRecipient = (address) =>
      address.startsWith('ben') ? { status: 550, text: 'no such user' } : undefined;
    const entry = emailEntry(server, { to: ['ada@example.com', 'ben@example.com'] });
    const file = temporaryFile('mail.toml', receiversToml([entry]));
    const sent = await runCcx(['receivers', 'test', 'ops', '--config', file]);
    assert.equal(sent.code, 1);
    assert.match(
      sent.stdout,
      /^ada@example\.com by smtp:\/\/127\.0\.0\.1:\d+ took message [0-9a-f-]{36}: answered 250/,
    );
    assert.match(sent.stderr, /the recipient was not taken: the mail server answers 550 no such user/);
    assert.deepEqual(
      server.taken.map(({ mail }) => mail.subject),
      ['[test] CCX Notifications'],
    );
    const one = await runCcx(['receivers', 'test', 'ops/ada@example.com', '--config', file]);
    assert.equal(one.code, 0, one.stderr);
    const list = await runCcx(['receivers', 'list', '--config', file, '--database', storage.url, '--json']);
    const names = list.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { name: string }).name);
    assert.deepEqual(names.slice(0, 2), ['ops/ada@example.com', 'ops/ben@example.com']);
  } finally {
    await server.close();
  }
});

test('of an Alertmanager the bytes of the next round are shown, and nothing is written', async () => {
  const above = '[kafka_broker]\nenabled = false\n[operations]\nport = 0';
  const entry = { name: 'alerts', type: 'alertmanager', url: `http://127.0.0.1:${await unusedPort()}/s3cret` };
  const file = temporaryFile('alerts.toml', receiversToml([entry], above));
  await storage.database.query(
    `INSERT INTO ccx.issues (org_id, cluster, type, component, error_key, state, first_seen_at, appeared_at, changed_at)
     VALUES (7, $1, 'rule', 'ccx_rules_ocp.external.rules.nodes_kubelet_version_check.report', 'NODE_KUBELET_VERSION', 'open', now(), now(), now())`,
    [testCluster],
  );
  const preview = await runCcx(['receivers', 'preview', 'alerts', '--config', file, '--database', storage.url]);
  assert.equal(preview.code, 0, preview.stderr);
  assert.match(preview.stdout, /^to http:\/\/127\.0\.0\.1:\d+\/… \(alertmanager\)\n/);
  assert.match(preview.stdout, /\nNothing was posted and nothing was written: 1 active, 0 that would end\n/);
  const [alert] = JSON.parse(/^\[.*\]$/m.exec(preview.stdout)![0]) as { labels: Record<string, string> }[];
  assert.deepEqual([alert!.labels['cluster_id'], alert!.labels['error_key']], [testCluster, 'NODE_KUBELET_VERSION']);
  const { rows } = await storage.database.query("SELECT FROM ccx.notification_targets WHERE name = 'alerts'");
  assert.equal(rows.length, 0);
  const refused = await runCcx(['receivers', 'test', 'alerts', '--config', file]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /cannot reach http:\/\/127\.0\.0\.1:\d+/);
  assert.doesNotMatch(refused.stderr + preview.stdout, /s3cret/);
});

test('the verifiers of the page tell what is ours', async () => {
  sink.taken.length = 0;
  await runCcx(['receivers', 'test', 'tickets', '--config', config]);
  const { id, headers, body } = sink.taken[0]!;
  const timestamp = String(headers['webhook-timestamp']);
  const signatures = `v1,AAAA ${String(headers['webhook-signature'])}`;
  const shell = temporaryFile('verify.sh', codeOf('sh', '#!/bin/sh'));
  const python = temporaryFile(
    'verify.py',
    `${codeOf('python', 'import base64')}
import json, sys
headers = dict(zip(["webhook-id", "webhook-timestamp", "webhook-signature"], sys.argv[1:]))
sys.exit(0 if is_ours(headers, sys.stdin.buffer.read()) else 1)
`,
  );
  for (const [program, file] of [
    ['sh', shell],
    ['python3', python],
  ] as const) {
    const verify = (given: readonly string[], text: string, key: string) =>
      spawnSync(program, [file, ...given], { input: text, env: { ...process.env, CCX_SIGNING_KEY: key } }).status;
    assert.equal(verify([id, timestamp, signatures], body, testSigningKey), 0, program);
    assert.equal(verify([id, timestamp, signatures], `${body} `, testSigningKey), 1, `${program}: another body`);
    assert.equal(verify([id, timestamp, signatures], body, oldSigningKey), 1, `${program}: another key`);
    const old = String(Number(timestamp) - 301);
    assert.equal(verify([id, old, signatures], body, testSigningKey), 1, `${program}: too old`);
  }
});
