/**
 * The tools for people, each as a process of its own beside a living installation: where is my archive (`trace`), why was somebody told or
 * not (`explain`), what did not arrive (`notifications`), what could not be processed (`dead-letters`).
 */
import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { uploadBytes } from '../../src/all-in-one/upload-files.ts';
import {
  HEADER_SERVICE,
  SERVICE_OPENSHIFT,
  TOPIC_PIPELINE_DEAD_LETTERS,
  TOPIC_UPLOAD_ANNOUNCE,
} from '../../src/contracts/topics.ts';
import type { UploadAnnouncement } from '../../src/contracts/upload-announcement.ts';
import type { RoleRecord } from '../../src/platform/records/role-record.ts';
import { simulateCluster } from '../../src/tools/cluster-simulator/simulate-cluster.ts';
import { type CcxResult, runCcx, startCcx } from '../support/ccx-process.ts';
import { whyNoInstallation } from '../support/data-folder.ts';
import { type Installation, startInstallation } from '../support/installation.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

describe('beside a living installation', { skip: whyNoInstallation() }, () => {
  let system: Installation;
  before(async () => {
    system = await startInstallation();
  });
  after(() => system?.end());

  const ccx = (...args: string[]): Promise<CcxResult> => runCcx([...args, '--data', system.folder.root]);

  /** What a tool printed; it must have ended well. */
  async function printed(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await ccx(...args);
    assert.deepEqual([code, stderr], [0, ''], args.join(' '));
    return stdout;
  }

  /** What a tool complained of; it must have ended badly. */
  async function complained(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await ccx(...args);
    assert.deepEqual([code, stdout], [1, ''], args.join(' '));
    return stderr;
  }

  async function upload(archive: Buffer): Promise<string> {
    const taken = await uploadBytes(archive, system, system.clock.now());
    assert.equal(taken.reason, '');
    return taken.requestId;
  }

  async function uploadCluster(seed: string, findings: readonly string[]) {
    const cluster = simulateCluster({ seed, now: system.clock.now(), findings });
    const requestId = await upload(cluster.archive);
    // One message to the backend, one entry per finding.
    await system.events.wait('outcome-recorded', { requestId }, 1 + findings.length);
    assert.ok(await system.waitUntilIdle(30_000));
    return { requestId, clusterId: cluster.clusterId };
  }

  test('trace shows the way of an archive, and explain what was decided about its cluster', async () => {
    const { requestId, clusterId } = await uploadCluster('healthy but for one', ['CONTROL_PLANE_NODE_REPLICAS']);

    const trace = await printed('trace', requestId);
    assert.match(trace, new RegExp(`^cluster +${clusterId}$`, 'm'));
    assert.match(trace, /hop 1 +ingress +upload validated/);
    assert.match(trace, /hop 8 +ccx-notification-writer +report stored/);
    assert.match(
      trace,
      /hop 10 +ccx-notification-service +decided .*: notification-backend: new 1; service-log: new 1$/m,
    );
    assert.match(trace, /^all 12 hops done \(.* in all\)\n$/m);
    // The operator's log writes the same id with hyphens.
    const hyphened = requestId.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    const story = JSON.parse(await printed('trace', hyphened, '--json')) as { readonly reachedHop: number };
    assert.equal(story.reachedHop, 12);
    assert.match(await complained('trace', 'nobody-knows-this'), /^nothing is known of request "nobody-knows-this"$/m);

    const explanation = await printed('explain', clusterId);
    const [backend = '', serviceLog = ''] = explanation.split(/^(?=notification backend$|Service Log$)/m).slice(1);
    for (const part of [backend, serviceLog]) {
      assert.match(
        part,
        /^ {2}CONTROL_PLANE_NODE_REPLICAS {2}ccx_rules_ocp\.external\.rules\.control_plane_replicas\.report$/m,
      );
      assert.match(part, /^ {4}notified: It was notified\.$/m);
      assert.match(part, /^ {4}last sent \S+ \S+ UTC {2}\([0-9a-f-]{36}, delivered\)$/m);
      assert.match(part, /^ {4}next possible \S+ \S+ UTC, if it is still there$/m);
    }
    const { issues } = JSON.parse(await printed('explain', clusterId, '--json')) as { readonly issues: unknown[] };
    assert.equal(issues.length, 2);
    assert.match(await complained('explain', 'nobody-knows-this'), /\[CLUSTER_UNKNOWN\]$/m);
  });

  test('roles lists the roles of this process, each with its version and what it says of itself', async () => {
    const names = ['data-pipeline', 'ingress', 'notifier', 'results', 'tracker', 'writer'];
    let listed: RoleRecord[] = [];
    await until(async () => {
      const lines = (await printed('roles', '--json')).trim().split('\n');
      listed = lines.map((line) => JSON.parse(line) as RoleRecord);
      return listed.length === names.length;
    });
    assert.deepEqual(
      listed.map(({ role, version, pid }) => [role, version, pid]),
      names.map((name) => [name, 'test', process.pid]),
    );
    const stateOf = (name: string) => listed.find(({ role }) => role === name)!.state;
    const settings = stateOf('notifier')['settings'] as { key: string; value: string; origin: string }[];
    const threshold = settings.find(({ key }) => key === 'kafka_broker.total_risk_threshold');
    assert.deepEqual(threshold, { key: 'kafka_broker.total_risk_threshold', value: '2', origin: 'default' });
    assert.match(settings.find(({ key }) => key === 'service_log.client_secret')!.value, /^\((not )?set\)$/);
    assert.deepEqual(
      (stateOf('notifier')['targets'] as { name: string }[]).map(({ name, ...more }) => [name, 'pausedUntil' in more]),
      [
        ['notification-backend', false],
        ['service-log', false],
      ],
    );
    assert.deepEqual(stateOf('data-pipeline')['quarantine'], []);
    assert.deepEqual(stateOf('results')['missing'], []);
    assert.ok(Array.isArray(stateOf('writer')['lag']));
    assert.match(
      await printed('roles'),
      /^tracker {8}alive {5}test {2}\S+\/\d+ {2}since \S+Z {2}seen \d+ s ago {2}ready$/m,
    );
  });

  test('the tables of a fresh installation lack nothing', async () => {
    const status = await printed('db', 'status');
    assert.match(status, /^schema ccx, dead-letters: version \d+$/m);
    assert.match(status, /\nnothing to do\n$/);
  });

  test('trace of a report that a newer one replaced says by which', async () => {
    const { requestId } = await uploadCluster('replaced', ['CONTROL_PLANE_NODE_REPLICAS']);
    // As if it had been stored an hour before, while nobody decided.
    const { rowCount } = await system.database.query(
      `INSERT INTO ccx.report_facts (request_id, org_id, cluster, last_checked, updated_at, stored_at)
       SELECT 'replaced-one', org_id, cluster, '2026-01-01', updated_at - interval '1 hour', stored_at - interval '1 hour'
         FROM ccx.report_facts WHERE request_id = $1`,
      [requestId],
    );
    assert.equal(rowCount, 1);
    const trace = await printed('trace', 'replaced-one');
    assert.match(
      trace,
      new RegExp(`^stored, then superseded by the report of request ${requestId} at [0-9-]+ [0-9:.]+ UTC: `, 'm'),
    );
    assert.doesNotMatch(trace, /has not happened yet/);
  });

  test('notifications lists what was not delivered and why, and tries it again under a new id', async () => {
    assert.equal(await printed('notifications', 'list'), 'none\n');
    system.standIns.serviceLog?.inject('post', { kind: 'status', status: 400 });
    const { clusterId } = await uploadCluster('refused', ['MCP_SET_TO_PAUSE']);

    const dead = await printed('notifications', 'list');
    const [, id] = /^([0-9a-f-]{36}) {2}dead .*MCP_SET_TO_PAUSE {2}\S+: .*\n$/.exec(dead) ?? [];
    assert.ok(id !== undefined, dead);
    assert.ok(dead.includes(clusterId));
    assert.match(
      await printed('notifications', 'list', '--state', 'delivered', '--cluster', clusterId),
      /^.* {2}notification backend {2}.*\n$/,
    );

    const letter = `notifications/${id}`;
    assert.match(
      await printed('dead-letters', 'list'),
      new RegExp(`^${letter} {2}\\S+ {2}\\S+ {2}ccx-notification-service/deliver-notifications {2}\\S+ {2}.+\\n$`),
    );
    const before = system.standIns.serviceLog?.entries().length ?? 0;
    assert.equal(await printed('notifications', 'retry', id), `${id} will be sent under a new id\n`);
    const [again] = await system.events.wait('notification-reissued', { oldId: id });
    await system.events.wait('outcome-recorded', { id: again?.fields['id'], state: 'delivered' });
    const entries = system.standIns.serviceLog?.entries().slice(before) ?? [];
    assert.deepEqual(
      entries.map(({ cluster_uuid, event_stream_id }) => [cluster_uuid, event_stream_id]),
      [[clusterId, again?.fields['id']]],
    );
    assert.equal(
      await printed('notifications', 'retry', id),
      `${id} was sent again before, as ${again?.fields['id']} (nothing to do: sent-again)\n`,
    );
    assert.match(await complained('notifications', 'retry'), /\[RETRY_WHAT\]$/m);
    assert.match(
      await printed('notifications', 'list'),
      new RegExp(`${id} .* {2}\\(sent again as ${again?.fields['id']}\\)$`, 'm'),
    );
    assert.equal(await printed('dead-letters', 'list'), 'no dead letters\n');
    assert.match(await printed('dead-letters', 'list', '--all'), new RegExp(`^${letter} .* {2}\\(replayed\\)$`, 'm'));
  });

  test('a dry run whose reader has seen enough ends, and that is no failure', async () => {
    const dry = startCcx({ args: ['notifier', '--dry-run', '--json', '--data', system.folder.root] });
    dry.child.stdout!.destroy();
    assert.deepEqual(await dry.exited(60_000), { code: 0, signal: null });
    assert.doesNotMatch(dry.stderr(), /EPIPE/);
  });

  test('notifications are chosen by flags, shown in full, done with, and each says what was not possible and why', async () => {
    system.standIns.serviceLog?.inject('post', { kind: 'status', status: 400 });
    system.standIns.serviceLog?.inject('post', { kind: 'status', status: 400 });
    const { clusterId, requestId } = await uploadCluster('two refused', ['MCP_SET_TO_PAUSE', 'OPERATOR_UNMANAGED']);
    const chosen = ['--target', 'service-log', '--cluster', clusterId, '--newer-than', '1h'];
    const lines = (await printed('notifications', 'list', ...chosen, '--json')).trimEnd().split('\n');
    const [one, two] = lines.map((line) => JSON.parse(line) as { readonly id: string; readonly body: string });
    assert.equal(lines.length, 2);
    const first = await ccx('notifications', 'list', ...chosen, '--limit', '1');
    assert.equal(first.stderr, `there may be more: --after ${one!.id} goes on\n`);
    assert.ok(first.stdout.startsWith(one!.id));
    assert.ok((await printed('notifications', 'list', ...chosen, '--after', one!.id)).startsWith(two!.id));
    assert.equal(await printed('notifications', 'list', '--cluster', clusterId, '--older-than', '1h'), 'none\n');

    const shown = await printed('notifications', 'show', one!.id);
    assert.match(shown, /^state +dead$/m);
    assert.match(shown, new RegExp(`^request +${requestId}$`, 'm'));
    assert.match(shown, new RegExp(`  ccx-notification-service  notification-dead  service-log ${one!.id}: `, 'm'));
    assert.ok(shown.endsWith(`\nbody\n${one!.body}\n`));
    assert.equal(await printed('notifications', 'show', one!.id, '--body'), one!.body);
    const full = JSON.parse(await printed('notifications', 'show', one!.id, '--json'));
    assert.deepEqual([full.body, full.issues[0].state, full.trace[0].hop], [one!.body, 'dead', 1]);

    const many = await ccx('notifications', 'discard', ...chosen);
    assert.deepEqual([many.code, many.stdout], [3, '']);
    assert.match(many.stderr, /^ccx: 2 notifications are chosen, and nothing was done \[NOT_CONFIRMED\]$/m);
    assert.equal(
      await printed('notifications', 'discard', ...chosen, '--dry-run'),
      `${one!.id} would be discarded\n${two!.id} would be discarded\n`,
    );
    assert.equal(
      await printed('notifications', 'discard', ...chosen, '--limit', '1', '--note', 'seen', '--by', 'Ada'),
      `${one!.id} is discarded\n`,
    );
    assert.match(
      await printed('audit', 'list', '--subject', one!.id),
      /^\S+Z {2}Ada \(.*\) {2}notifications discard notifications\/\S+ {2}.* {2}seen\n$/,
    );
    const missing = '00000000-0000-4000-8000-000000000000';
    const mixed = await ccx('notifications', 'discard', one!.id, missing, two!.id, '--json');
    assert.equal(mixed.code, 2);
    assert.deepEqual(
      mixed.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
      [
        { id: one!.id, deed: 'discard', result: 'done-before', reason: 'discarded', replaced_by: null },
        { id: missing, deed: 'discard', result: 'refused', reason: 'unknown-id', replaced_by: null },
        { id: two!.id, deed: 'discard', result: 'done', reason: null, replaced_by: null },
      ],
    );
    assert.match(mixed.stderr, /^ccx: 1 of 3 could not be discarded \[DISCARD_NOT_POSSIBLE\]$/m);
    assert.equal(await printed('notifications', 'discard', ...chosen), 'none\n');
    for (const [code, ...wrong] of [
      ['DISCARD_WHAT', 'discard'],
      ['NOTIFICATIONS_CHOSEN_TWICE', 'discard', one!.id, '--all'],
      ['NOTIFICATION_ID', 'discard', one!.id, 'x'],
      ['NOTIFICATION_STATE', 'discard', '--state', 'delivered'],
      ['NOTIFICATION_TARGET', 'list', '--target', 'x'],
      ['NOTIFICATION_AGE', 'list', '--older-than', 'yesterday'],
      ['NOTIFICATION_LIMIT', 'list', '--limit', '0'],
      ['NOTIFICATION_UNKNOWN', 'show', missing],
      ['NOTIFICATION_UNKNOWN', 'list', '--after', missing],
    ] as const)
      assert.match(await complained('notifications', ...wrong), new RegExp(`\\[${code}\\]$`, 'm'));
  });

  test('the auditor finds nothing in a sound installation, whatever was done to it, and says what breaks it', async () => {
    const { clusterId } = await uploadCluster('audited', ['MCP_SET_TO_PAUSE']);
    const sound = await ccx('notifications', 'audit', '--overdue', '0s');
    assert.deepEqual([sound.code, sound.stderr], [0, ''], sound.stdout);
    assert.match(sound.stdout, /^nothing was found\n\nlooked through\n +0 {2}unfinished messages\n/);
    const { rows } = await system.database.query<{ id: string }>(
      `UPDATE ccx.notification_outbox SET delivered_at = NULL WHERE cluster = $1 AND event_type_id = 2 RETURNING id`,
      [clusterId],
    );
    const found = await ccx('notifications', 'audit');
    assert.deepEqual([found.code, found.stderr], [4, '']);
    assert.match(
      found.stdout,
      new RegExp(
        `^I4 delivered-without-record \\(1\\): .*\\n  notifications/${rows[0]!.id}  Service Log  ${clusterId}  without when it was\\n`,
      ),
    );
    const { code, stdout } = await ccx('notifications', 'audit', '--json', '--target', 'service-log');
    const { findings, counts, complete } = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual([code, counts, complete], [4, { 'delivered-without-record': 1 }, true]);
    assert.deepEqual(findings, [
      {
        ...{ kind: 'delivered-without-record', invariant: 'I4', target: 'Service Log', cluster: clusterId },
        ...{ subject: `notifications/${rows[0]!.id}`, detail: 'without when it was' },
      },
    ]);
    assert.equal((await ccx('notifications', 'audit', '--target', 'kafka')).code, 0);
    const cut = await ccx('notifications', 'audit', '--for', '0s');
    assert.equal(cut.code, 5);
    assert.match(cut.stdout, /^ +0 {2}unfinished messages, not to the end$/m);
    await system.database.query(
      `UPDATE ccx.notification_outbox SET delivered_at = last_attempt_at WHERE delivered_at IS NULL AND state = 'delivered'`,
    );
  });

  test('dead-letters shows notifications that were given up, sends one again and lets another be done with', async () => {
    const refuse = async (name: string) => {
      system.standIns.serviceLog?.inject('post', { kind: 'status', status: 400 });
      const { clusterId } = await uploadCluster(name, ['UNSUPPORTED_CNI_PLUGIN']);
      const line = JSON.parse(await printed('dead-letters', 'list', '--json')) as { readonly id: string };
      return { clusterId, letter: line.id };
    };
    const one = await refuse('one');
    const shown = await printed('dead-letters', 'show', one.letter);
    assert.match(shown, new RegExp(`^cluster +${one.clusterId}$`, 'm'));
    assert.match(shown, /^target +Service Log$/m);
    assert.match(shown, /^tells of +UNSUPPORTED_CNI_PLUGIN$/m);
    const entry = JSON.parse(await printed('dead-letters', 'show', one.letter, '--value')) as Record<string, unknown>;
    assert.equal(entry['cluster_uuid'], one.clusterId);
    assert.equal(await printed('dead-letters', 'replay', one.letter), `${one.letter} will be sent under a new id\n`);
    await system.events.wait('notification-reissued', { oldId: one.letter.split('/')[1] });
    assert.ok(await system.waitUntilIdle(30_000));
    assert.match(await complained('dead-letters', 'replay', one.letter), /\[RETRY_NOT_POSSIBLE\]$/m);

    const other = await refuse('other');
    assert.equal(
      await printed('dead-letters', 'discard', other.letter, '--note', 'seen'),
      `${other.letter} is discarded\n`,
    );
    assert.equal(await printed('dead-letters', 'list'), 'no dead letters\n');
    assert.match(
      await printed('dead-letters', 'list', '--all'),
      new RegExp(`^${other.letter} .* {2}\\(discarded\\)$`, 'm'),
    );
    assert.match(await printed('notifications', 'list', '--cluster', other.clusterId), / {2}\(discarded\)$/m);
    assert.match(
      await printed('audit', 'list', '--subject', other.letter, '--since', '1 hour'),
      new RegExp(
        `^\\S+Z {2}${userInfo().username} \\(command line on ${hostname()}\\) {2}dead-letters discard ${other.letter} {2}\\{"state":"open"\\} → \\{"state":"discarded"\\} {2}seen\\n$`,
      ),
    );
    const unknown = 'notifications/00000000-0000-4000-8000-000000000000';
    assert.match(await complained('dead-letters', 'show', unknown), /\[DEAD_LETTER_UNKNOWN\]$/m);
    assert.match(await complained('dead-letters', 'show', 'notifications/1'), /\[DEAD_LETTER_UNKNOWN\]$/m);
  });

  test('dead-letters shows what is wrong with garbage, byte for byte, and lets it be done with', async () => {
    assert.equal(await printed('dead-letters', 'list'), 'no dead letters\n');
    const requestId = await upload(Buffer.from('this is no archive'));
    await system.events.wait('message-dead-lettered', { requestId });
    assert.ok(await system.waitUntilIdle(30_000));
    assert.match(
      await printed('trace', requestId),
      /^stopped after hop 3, announcement accepted: ccx-data-pipeline: error, /m,
    );

    const list = await printed('dead-letters', 'list');
    const [, id] =
      new RegExp(`^(\\S+) {2}\\S+ {2}ARCHIVE_FORMAT_UNSUPPORTED {2}\\S+/run-rules {2}${requestId} {2}.*\\n$`).exec(
        list,
      ) ?? [];
    assert.equal(id, `${TOPIC_PIPELINE_DEAD_LETTERS}/0/0`, list);
    assert.equal(JSON.parse(await printed('dead-letters', 'list', '--json')).id, id);

    const shown = await printed('dead-letters', 'show', id);
    assert.match(shown, /^code +ARCHIVE_FORMAT_UNSUPPORTED$/m);
    assert.match(shown, /^dead-lettered +\d{4}-\d\d-\d\dT/m);
    assert.match(shown, /^reason +Invalid content type: "application\/octet-stream"$/m);
    assert.match(shown, new RegExp(`^came from +${TOPIC_UPLOAD_ANNOUNCE}/\\d/\\d+$`, 'm'));
    const announcement = await announcementOf(requestId);
    assert.equal(await printed('dead-letters', 'show', id, '--value'), announcement.text);

    assert.equal(
      await printed('dead-letters', 'discard', id, '--note', 'a test', '--by', 'Ada'),
      `${id} is discarded\n`,
    );
    assert.equal(await printed('dead-letters', 'list'), 'no dead letters\n');
    assert.match(await printed('dead-letters', 'list', '--all'), new RegExp(`^${id} .* {2}\\(discarded\\)$`, 'm'));
    const audited = JSON.parse(await printed('audit', 'list', '--subject', id, '--json')) as Record<string, unknown>;
    assert.deepEqual(
      [audited['actor'], audited['action'], audited['reason']],
      ['Ada', 'dead-letters discard', 'a test'],
    );
    assert.match(await complained('audit', 'list', '--since', 'soon'), /\[AUDIT_SINCE\]$/m);
    assert.match(
      await complained('dead-letters', 'show', `${TOPIC_PIPELINE_DEAD_LETTERS}/0/99`),
      /\[DEAD_LETTER_UNKNOWN\]$/m,
    );
  });

  test('a letter whose cause is mended goes its way when it is replayed', async () => {
    const { requestId: first } = await uploadCluster('mended', ['OPERATOR_UNMANAGED']);
    // The archive is away, as on a store that has lost it, when it is announced once more, under another id.
    const object = join(system.folder.objects, first);
    await rename(object, `${object}.away`);
    const requestId = 'replayed';
    const announcement = { ...(await announcementOf(first)).value, request_id: requestId };
    const producer = await system.bus.createProducer();
    const headers = { [HEADER_SERVICE]: SERVICE_OPENSHIFT };
    await producer.send([{ topic: TOPIC_UPLOAD_ANNOUNCE, value: JSON.stringify(announcement), headers }]);
    await producer.close();
    await system.events.wait('message-dead-lettered', { requestId });
    const list = await printed('dead-letters', 'list');
    const [, id] = /^(\S+) {2}\S+ {2}\S+ {2}\S+\/fetch-archive {2}replayed {2}.*\n$/.exec(list) ?? [];
    assert.ok(id !== undefined, list);

    await rename(`${object}.away`, object);
    assert.equal(await printed('dead-letters', 'replay', id), `${id} is back on ${TOPIC_UPLOAD_ANNOUNCE}\n`);
    await system.events.wait('report-stored', { requestId });
    assert.equal(await printed('dead-letters', 'list'), 'no dead letters\n');
    assert.match(
      await printed('dead-letters', 'list', '--all'),
      new RegExp(`^${id} .* {2}replayed {2}.* {2}\\(replayed\\)$`, 'm'),
    );
  });

  async function announcementOf(requestId: string) {
    const texts = (await system.readTopic(TOPIC_UPLOAD_ANNOUNCE)).map(({ value }) => value!.toString());
    const text = texts.find((candidate) => candidate.includes(`"request_id":"${requestId}"`))!;
    return { text, value: JSON.parse(text) as UploadAnnouncement };
  }
});

test('without an installation the tools say so, and how to name one', async () => {
  const folder = temporaryFolder();
  for (const tool of [
    ['trace', 'x'],
    ['explain', 'x'],
    ['notifications', 'list'],
    ['dead-letters', 'list'],
  ]) {
    const { code, stdout, stderr } = await runCcx([...tool, '--data', folder]);
    assert.deepEqual([code, stdout], [1, ''], tool.join(' '));
    const [line, hint, ...rest] = stderr.trimEnd().split('\n');
    assert.equal(line, `ccx: no all-in-one installation runs on the data folder ${folder} [DATABASE_LOCATION]`);
    assert.match(hint!, /^ {2}.*--data DIR.*--database URL/);
    assert.deepEqual(rest, []);
  }
});
