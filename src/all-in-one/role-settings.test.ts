/** What differs in an installation of one process from the roles' own defaults, and that the environment still counts. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFile, temporaryFolder } from '../../test/support/temporary-folder.ts';
import { CcxError, configInvalid } from '../encoding/ccx-error.ts';
import { readConfigFile } from '../platform/config/config-file.ts';
import { loadConfig } from '../platform/config/load-config.ts';
import { notificationServiceRole } from '../services/notification-service/service.ts';
import { allInOneOptions, allInOneSettings } from './config.ts';
import { describeRoles, loadRoleSettings, namedHere, withStandIns } from './role-settings.ts';

const load = (env: Readonly<Record<string, string>> = {}) =>
  loadRoleSettings(allInOneSettings(loadConfig(allInOneOptions, { env }).config), env, 'test');

test('archives come from this process: Amazon is asked only where a setting says so', () => {
  const { download } = load().dataPipeline;
  assert.deepEqual([download.presignedS3Links, download.allowUnsafeLinks, download.allowedHosts], [false, false, []]);
  assert.equal(
    load({ CCX_DATA_PIPELINE__DOWNLOAD__PRESIGNED_S3_LINKS: 'true' }).dataPipeline.download.presignedS3Links,
    true,
  );
});

test('an identity header beside tokens counts only where a setting says so, also on 127.0.0.1', () => {
  assert.equal(load().ingress.trustIdentityHeader, false);
  assert.equal(load({ CCX_INGRESS__GATEWAY__TRUST_IDENTITY_HEADER: 'true' }).ingress.trustIdentityHeader, true);
});

test('what may be notified about simulated clusters is a stand-in that nobody else reads', () => {
  const standIns = (env: Readonly<Record<string, string>>) => [...load(env).standInTargets];
  assert.deepEqual(standIns({}), ['notification-backend', 'service-log']);
  assert.deepEqual(standIns({ CCX_ALL_IN_ONE__RUN__KAFKA: 'kafka:9092' }), ['service-log']);
  assert.deepEqual(standIns({ CCX_NOTIFICATION_SERVICE__KAFKA_BROKER__ADDRESSES: 'kafka:9092' }), ['service-log']);
  assert.deepEqual(standIns({ CCX_NOTIFICATION_SERVICE__SERVICE_LOG__URL: 'https://log.example/' }), [
    'notification-backend',
  ]);
});

test('an Alertmanager of a flag is a receiver, and there are no stand-ins then', () => {
  const env = { CCX_ALL_IN_ONE__RUN__ALERTMANAGER: 'http://alertmanager:9093' };
  const roles = load(env);
  assert.deepEqual(roles.standIns, { notificationBackend: false, serviceLog: false });
  const [receiver] = roles.notifier.lists.receivers;
  assert.deepEqual([receiver!.name, receiver!.type, receiver!.interval], ['alertmanager', 'alertmanager', 60_000]);
  const file = temporaryFile(
    'all.toml',
    '[[notifier.receivers]]\nname = "alertmanager"\ntype = "alertmanager"\nurl = "http://a"\n',
  );
  const { config } = loadConfig(allInOneOptions, { env });
  assert.throws(() => loadRoleSettings(allInOneSettings(config, readConfigFile(file)), env, 'test'), {
    message: 'alertmanager is the name of the receiver of --alertmanager',
  });
});

test('every start makes a token of its own', () => {
  const [first, second] = [load(), load()].map(({ ingress }) => ingress.ownToken.token);
  assert.notEqual(first, second);
  assert.ok(first!.length >= 43, '32 bytes');
});

test('each role reads its section of the file, the environment comes before it, and what cannot count is named', () => {
  const configFile = join(temporaryFolder(), 'all.toml');
  writeFileSync(
    configFile,
    '[writer.batch]\nrecords = 7\n[tracker.retention]\nrows = 5000\n[data-pipeline.in_flight]\narchives = 3\n[notifier.kafka_broker]\naddresses = "kafka:9092"\n',
  );
  const env = { CCX_TRACKER__RETENTION__ROWS: '6000' };
  const rolesOf = (path: string) =>
    loadRoleSettings(allInOneSettings(loadConfig(allInOneOptions, { env }).config, readConfigFile(path)), env, 'test');
  const roles = rolesOf(configFile);
  assert.deepEqual(
    [roles.writer.batch.recordsMax, roles.tracker.retention.rowsMax, roles.dataPipeline.inFlightArchivesMax],
    [7, 6_000, 3],
  );
  assert.equal(roles.standIns.notificationBackend, false, 'a receiver of the file takes the place of the stand-in');
  assert.deepEqual(roles.warnings, []);
  writeFileSync(
    configFile,
    '[ingress.web]\nport = 1\n[notifier.storage]\npg_host = "db"\n[writer.storage]\nensure_schema = true\n[writer.broker]\naddresses = "a:1"\nstart_at = "latest"\n',
  );
  assert.deepEqual(
    rolesOf(configFile).warnings.map((text) => /: (.*) has no effect here/.exec(text)?.[1]),
    ['ingress.web.port', 'writer.broker.addresses', 'notifier.storage.pg_host'],
  );
});

const settingsOfFile = (text: string) => {
  const path = temporaryFile('roles.toml', text);
  const settings = allInOneSettings(loadConfig(allInOneOptions, { env: {} }).config, readConfigFile(path));
  // As a pipe has nothing for a second reader.
  rmSync(path);
  return settings;
};

test('the file is read once: whatever it is, all roles find their sections in it', () => {
  const roles = loadRoleSettings(
    settingsOfFile('[writer.batch]\nrecords = 7\n[notifier.delivery]\nconcurrency = 3\n'),
    {},
    'test',
  );
  assert.deepEqual([roles.writer.batch.recordsMax, roles.notifier.settings.delivery.concurrency], [7, 3]);
});

const refused: Readonly<Record<string, readonly [text: string, message: RegExp, hint: RegExp]>> = {
  'of the wrong type': [
    '[ingress.web]\nconnections_max = "many"\n',
    /^ingress\.web\.connections_max in .*roles\.toml cannot be read as integer: "many"$/,
    /^change ingress\.web\.connections_max in /,
  ],
  'below its least': [
    '[ingress.web]\nconnections_max = 1\n',
    /^ingress\.web\.connections_max in .* must be at least 8$/,
    /^change ingress\.web\.connections_max in /,
  ],
  'that contradicts another': [
    '[data-pipeline.in_flight]\nbytes = 5\n',
    /^data-pipeline\.in_flight\.bytes is smaller than data-pipeline\.download\.max_archive_size: /,
    /^raise data-pipeline\.in_flight\.bytes or lower data-pipeline\.download\.max_archive_size$/,
  ],
  'that only its variable was called by': [
    '[ingress.upload]\nbytes_max_by_service = "many"\n',
    /^ingress\.upload\.bytes_max_by_service \(INGRESS_MAXSIZEMAP\) is no JSON object /,
    /^e\.g\. /,
  ],
  'that excludes another': [
    '[ingress.auth]\nenabled = false\n[ingress.gateway]\ntokens_file = "tokens.json"\n',
    /^tokens are of no use where ingress\.auth\.enabled \(INGRESS_AUTH\) is false$/,
    /^set only one of ingress\.auth\.enabled and ingress\.gateway\.tokens_file$/,
  ],
  'that keeps a filter from being compiled': [
    '[notifier.kafka_broker]\nevent_filter = "("\n',
    /^the event filter "\(" cannot be used: /,
    /^change notifier\.kafka_broker\.event_filter; /,
  ],
  'that leaves nobody to notify': [
    '[notifier.kafka_broker]\nenabled = false\n[notifier.service_log]\nenabled = false\n',
    /^no target for notifications is enabled$/,
    /^set notifier\.kafka_broker\.enabled or notifier\.service_log\.enabled to true, or add \[\[receivers\]\]$/,
  ],
  'without which Vault cannot be used': [
    '[notifier.vault]\naddress = "http://vault"\n',
    /^notifier\.vault\.token is not set$/,
    /^change CCX_NOTIFICATION_SERVICE__VAULT__TOKEN$/,
  ],
  'that is no address': [
    '[notifier.dependencies]\ntemplate_renderer_server = "::"\n',
    /^notifier\.dependencies\.template_renderer_server is no address$/,
    /^write it as /,
  ],
  'that is no protocol of brokers': [
    '[notifier.kafka_broker]\naddresses = "b:1"\nsecurity_protocol = "MAYBE"\n',
    /^"MAYBE" is none of PLAINTEXT, /,
    /notifier\.kafka_broker\.security_protocol/,
  ],
};
for (const [what, [text, message, hint]] of Object.entries(refused)) {
  test(`a role's setting ${what} is refused by its name in the file, and when settings are shown, too`, () => {
    const settings = settingsOfFile(text);
    for (const work of [loadRoleSettings, describeRoles]) {
      assert.throws(
        () => work(settings, {}, 'test'),
        (error) => {
          assert.ok(error instanceof CcxError);
          assert.match(error.message, message);
          assert.match(error.hint ?? '', hint);
          return true;
        },
      );
    }
  });
}

test('what a role finds wrong when it starts has the name of the file, too; what is decided for all has its own', async () => {
  const { options } = notificationServiceRole;
  const start = namedHere(options, async () => {
    throw configInvalid('kafka_broker.event_filter is none.', 'change kafka_broker.event_filter or bus.kind');
  });
  await assert.rejects(start, {
    message: 'notifier.kafka_broker.event_filter is none.',
    hint: 'change notifier.kafka_broker.event_filter or bus.kind',
  });
});

test('the settings of all roles are shown under their sections, secrets masked, and without those that say nothing here', () => {
  const { lines, warnings } = describeRoles(
    settingsOfFile(
      '[ingress.web]\nport = 1\nbase_url = "http://user:hunter2@h/x"\n[notifier.metrics]\ngateway_auth_token = "hunter2"\n',
    ),
    { CCX_TRACKER__RETENTION__ROWS: '6000' },
    'test',
  );
  const shown = new Map(lines.map(({ key, value, origin }) => [key, `${value} (${origin})`]));
  assert.equal(shown.get('ingress.web.base_url'), '"http://***@h/x" (file)');
  assert.equal(shown.get('notifier.metrics.gateway_auth_token'), '(set) (file)');
  assert.equal(shown.get('tracker.retention.rows'), '6000 (environment)');
  assert.equal(shown.get('writer.batch.records'), '500 (default)');
  assert.equal(shown.get('notifier.service_log.url'), ' (of the stand-in)');
  assert.ok(!shown.has('ingress.web.port') && !shown.has('writer.storage.pg_password'));
  assert.doesNotMatch(JSON.stringify(lines), /hunter2/);
  assert.equal(warnings.length, 1);
});

test('the stand-ins are the receivers where no real one is named', () => {
  const addresses = { 'service_log.url': 'http://stand-in/', 'service_log.client_id': 'own' };
  const load = (env: Readonly<Record<string, string>>) =>
    withStandIns(
      loadRoleSettings(allInOneSettings(loadConfig(allInOneOptions, { env }).config), env, 'test').notifier,
      addresses,
    ).config;
  assert.equal(load({})['service_log.url'], 'http://stand-in/');
  const named = load({ CCX_NOTIFICATION_SERVICE__SERVICE_LOG__CLIENT_ID: 'real' });
  assert.deepEqual([named['service_log.url'], named['service_log.client_id']], ['http://stand-in/', 'real']);
});

test('with a receiver of the file nobody stands in for the platform, and the platform is told nothing', () => {
  const file = temporaryFile(
    'all.toml',
    '[[notifier.receivers]]\nname = "chat"\ntype = "webhook"\nformat = "slack"\nurl = "https://chat.example.com/x"\n',
  );
  const settings = allInOneSettings(loadConfig(allInOneOptions, { env: {} }).config, readConfigFile(file));
  const roles = loadRoleSettings(settings, {}, 'test');
  assert.deepEqual(roles.standIns, { notificationBackend: false, serviceLog: false });
  assert.equal(roles.notifier.config['kafka_broker.enabled'], false);
  assert.deepEqual(load().standIns, { notificationBackend: true, serviceLog: true });
});

test('--mail and --smtp tell people in place of the stand-ins; a password comes from the environment alone', () => {
  const rolesOf = (flags: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}) => {
    const loaded = loadConfig(allInOneOptions, { env, flags });
    return loadRoleSettings(allInOneSettings(loaded.config, undefined, loaded.secretFiles), env, 'test');
  };
  const flags = { 'mail.to': 'ada@example.com,Ben <ben@example.org>', 'mail.smtp': 'mail.example.com:2525' };
  const file = temporaryFile('password', 'hunter2');
  const env = { CCX_ALL_IN_ONE__MAIL__USERNAME: 'ccx', CCX_ALL_IN_ONE__MAIL__PASSWORD_FILE: file };
  const roles = rolesOf(flags, env);
  assert.deepEqual(roles.standIns, { notificationBackend: false, serviceLog: false });
  const [entry, ...others] = roles.notifier.lists.receivers;
  assert.deepEqual(others, []);
  assert.deepEqual(entry!.to, ['ada@example.com', 'Ben <ben@example.org>']);
  assert.equal(entry!.from, 'ccx-notifications@example.com');
  assert.deepEqual([entry!.smtp_host, entry!.smtp_port, entry!.smtp_tls], ['mail.example.com', 2525, 'starttls']);
  assert.deepEqual([entry!.username, entry!.password, entry!.password_file], ['ccx', 'hunter2', file]);
  const implicit = rolesOf({ ...flags, 'mail.smtp': 'smtps://mail.example.com' }).notifier.lists.receivers[0]!;
  assert.deepEqual([implicit.smtp_port, implicit.smtp_tls], [0, 'tls']);
  const refusals: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
    [{ ...flags, 'mail.smtp': 'smtp://ccx:hunter2@mail.example.com' }, /^--smtp .* holds a user or a password/],
    [{ ...flags, 'mail.smtp': 'ccx:hunter2@mail.example.com' }, /^--smtp .* holds a user or a password/],
    [{ ...flags, 'mail.smtp': 'http://mail.example.com' }, /^--smtp .* is no mail server/],
    [{ 'mail.to': 'ada@example.com' }, /^--mail .* nobody by which server/],
    [{ 'mail.smtp': 'mail.example.com' }, /^--smtp .* nobody to whom/],
    [{ ...flags, 'mail.to': 'ada' }, /^to of the receiver mail holds what is no address: "ada"/],
  ];
  for (const [wrong, message] of refusals) {
    assert.throws(
      () => rolesOf(wrong),
      (error) => {
        assert.ok(error instanceof CcxError);
        assert.match(error.message, message);
        assert.doesNotMatch(`${error.message} ${error.hint}`, /hunter2/);
        if (wrong['mail.smtp']?.includes('hunter2') === true)
          assert.match(error.hint!, /CCX_ALL_IN_ONE__MAIL__PASSWORD, or CCX_ALL_IN_ONE__MAIL__PASSWORD_FILE/);
        return true;
      },
    );
  }
});
