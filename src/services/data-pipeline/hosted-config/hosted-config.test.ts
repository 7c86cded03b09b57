/**
 * The hosted pipeline's YAML becomes settings of ours, variables and Clowder as its framework has them; what this program does not have is
 * refused by name and line. Source: data-pipeline.md 1.2 to 1.4.
 */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { temporaryFolder } from '../../../../test/support/temporary-folder.ts';
import { errorCode } from '../../../encoding/ccx-error.ts';
import { busSettings } from '../../../platform/bus/bus-options.ts';
import { loadConfig } from '../../../platform/config/load-config.ts';
import { dataPipelineOptions, dataPipelineSettings } from '../config.ts';
import { openHostedConfigs } from './open-hosted-config.ts';
import { fillIn } from './settings-tree.ts';

type Environment = Readonly<Record<string, string>>;

/** As a deployment has it, every part of the flavour that runs the external rules. */
const complete = `plugins:
  default_component_enabled: true
  packages:
    - ccx_rules_ocp.external
    - ccx_rules_processing
  configs:
    - name: ccx_ocp_core.config.telemeter.TelemeterServiceConfig
      enabled: false
service:
  extract_timeout:
  extract_tmp_dir:
  format: ccx_ocp_core.core.formats.json.OCPRecommendationsJsonFormat
  target_components: []
  consumer:
    name: ccx_messaging.consumers.kafka_consumer.KafkaConsumer
    kwargs:
      incoming_topic: @{CDP_INCOMING_TOPIC:platform.upload.announce}
      group.id: @{GROUP:ccx_data_pipeline_app}
      bootstrap.servers: @{SERVERS:["one:9092", "two:9093"]}
      platform_service: openshift
      security.protocol: @{PROTOCOL:SASL_SSL}
      sasl.mechanisms: PLAIN
      sasl.username: @{USER}
      sasl.password: $PASSWORD
      max.poll.interval.ms: 600000
      heartbeat.interval.ms: 10000
      session.timeout.ms: 20000
      processing_timeout_s: 0
      dead_letter_queue_topic: @{DEAD:dead.letter.queue}
  downloader:
    name: ccx_messaging.downloaders.http_downloader.HTTPDownloader
    kwargs:
      max_archive_size: 50MiB
      allow_unsafe_links: true
  engine:
    name: ccx_messaging.engines.ocp_engine.OCPEngine
  publisher:
    name: ccx_messaging.publishers.rule_processing_publisher.RuleProcessingPublisher
    kwargs:
      outgoing_topic: ccx.ocp.results.@{STAGE:x}
      bootstrap.servers: one:9092,two:9093
      security.protocol: @{PROTOCOL:SASL_SSL}
      sasl.mechanisms: PLAIN
      sasl.username: @{USER}
      sasl.password: @{PASSWORD}
  watchers:
    - name: ccx_messaging.watchers.stats_watcher.StatsWatcher
      kwargs:
        prometheus_port: @{PORT:8001}
    - name: ccx_messaging.watchers.cluster_id_watcher.ClusterIdWatcher
    - name: ccx_messaging.watchers.payload_tracker_watcher.PayloadTrackerWatcher
      kwargs:
        topic: platform.payload-status
        service_name: ccx-data-pipeline-a
  logging:
    version: 1
    disable_existing_loggers: false
    handlers:
      default:
        level: DEBUG
        class: logging.StreamHandler
        stream: ext://sys.stdout
        formatter: json
    formatters:
      json:
        (): pythonjsonlogger.jsonlogger.JsonFormatter
        format: "%(message)s"
    root:
      level: WARNING
      handlers: [default]
    loggers:
      ccx_messaging:
        level: @{LOGLEVEL:DEBUG}
`;

/** A variable is written `@{NAME}` in the texts of this file, which are no templates of JavaScript. */
const withVariables = (text: string) => text.replaceAll('@{', '$'.concat('{'));

const login = { USER: 'me', PASSWORD: 'secret' };

/** Reads a file of that text; what is read of it is as the role would have it. */
async function load(text: string, env: Environment = login, name = 'config.yaml') {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, withVariables(text));
  const hosted = await openHostedConfigs(env);
  try {
    const { config, warnings } = loadConfig(dataPipelineOptions, { env, file: hosted.read(path) });
    const bus = busSettings(config, 'data-pipeline');
    return { config, settings: dataPipelineSettings(config), bus, warnings: [...warnings, ...hosted.warnings], path };
  } finally {
    hosted.cleanUp();
  }
}

const kafka = ({ bus }: Awaited<ReturnType<typeof load>>) => {
  assert.ok(bus.kind === 'kafka');
  return bus;
};

test('every part becomes a setting', async () => {
  const loaded = await load(complete);
  const { settings, config } = loaded;
  assert.deepEqual(settings.incoming, {
    topic: 'platform.upload.announce',
    groupId: 'ccx_data_pipeline_app',
    platformService: 'openshift',
    recordAgeMsMax: 7_200_000,
    startAt: 'latest',
  });
  assert.deepEqual(
    [settings.resultsTopic, settings.deadLettersTopic, settings.statusesTopic, settings.serviceName],
    ['ccx.ocp.results.x', 'dead.letter.queue', 'platform.payload-status', 'ccx-data-pipeline-a'],
  );
  assert.deepEqual([settings.archiveLimits.packedBytesMax, settings.download.allowUnsafeLinks], [50 * 2 ** 20, true]);
  assert.deepEqual([config['operations.port'], config['logging.log_level']], [8001, 'debug']);
  const { brokers, sessionMs, security } = kafka(loaded);
  assert.deepEqual([brokers, sessionMs, security.protocol], [['one:9092', 'two:9093'], 20_000, 'SASL_SSL']);
  assert.deepEqual(security.sasl, { mechanism: 'PLAIN', user: 'me', password: 'secret' });
  assert.deepEqual(loaded.warnings, []);
});

test('variables come from the environment, and what is inferred is what is meant', async () => {
  const loaded = await load(complete, {
    ...{
      CDP_INCOMING_TOPIC: 'platform.upload.buckit',
      GROUP: '42',
      SERVERS: 'one:9092,two:9093',
      PROTOCOL: 'PLAINTEXT',
    },
    ...{ DEAD: 'dead', STAGE: '', PORT: '9000', LOGLEVEL: 'warning' },
  });
  const { settings, config } = loaded;
  assert.deepEqual([settings.incoming.topic, settings.incoming.groupId], ['platform.upload.buckit', '42']);
  assert.deepEqual([settings.resultsTopic, settings.deadLettersTopic], ['ccx.ocp.results.', 'dead']);
  assert.deepEqual([config['operations.port'], config['logging.log_level']], [9000, 'warn']);
  // Without SASL nobody asks for a login, and its variables may be missing.
  assert.deepEqual(kafka(loaded).security, { protocol: 'PLAINTEXT' });
});

test('a variable is filled in as the framework does it', () => {
  const env = { NAME: 'value', empty: '', Mixed: 'm' };
  for (const [text, filled, unset] of [
    ['$NAME @{NAME} @{NAME:other}', 'value value value', []],
    ['@{MISSING:a:b}c @{MISSING:} @{MISSING:-x}', 'a:bc  -x', []],
    ['@{MISSING} $ALSO.', '@{MISSING} $ALSO.', ['MISSING', 'ALSO']],
    ['$$NAME $@{NAME} 5$ %(a)s', '$NAME @{NAME} 5$ %(a)s', []],
    ['@{empty:default}@{Mixed}', 'm', []],
    ['@{MISSING:["a","b"]}', '["a","b"]', []],
  ] as const) {
    assert.deepEqual(fillIn(withVariables(text), env), { text: withVariables(filled), unset }, text);
  }
});

/** `complete` with a line replaced; the lines of its text count from 1. */
const changed = (from: string | RegExp, to: string) => {
  const text = complete.replace(from, to);
  assert.notEqual(text, complete, String(from));
  return text;
};

test('what the file leaves out is as there: no filter, records of two hours, no statuses', async () => {
  const bare = complete
    .replace(/ {6}platform_service.*\n/, '')
    .replace(/ {4}- name: .*PayloadTrackerWatcher\n.*\n.*\n.*\n/, '')
    .replace(/ {6}dead_letter_queue_topic.*\n/, '');
  const { settings, warnings } = await load(bare);
  assert.deepEqual([settings.incoming.platformService, settings.statusesTopic], ['', '']);
  assert.equal(settings.deadLettersTopic, 'dead.letter.queue');
  assert.match(warnings.join(), /service\.consumer \(line 14\) names no dead_letter_queue_topic/);
});

for (const [why, text, expected] of [
  ['records of any age', changed('processing_timeout_s: 0', 'max_record_age: -1'), { recordAgeMsMax: 0 }],
  ['records of a minute', changed('processing_timeout_s: 0', 'max_record_age: "60"'), { recordAgeMsMax: 60_000 }],
  [
    'a group that starts at the beginning',
    changed('processing_timeout_s: 0', 'auto.offset.reset: smallest'),
    { startAt: 'earliest' },
  ],
] as const) {
  test(`the consumer's options are taken: ${why}`, async () => {
    const { incoming } = (await load(text)).settings;
    assert.deepEqual({ ...incoming, ...expected }, incoming);
  });
}

test('kafka_broker_config counts more than the options beside it, in consumer and publisher', async () => {
  const config = '      kafka_broker_config:\n        bootstrap.servers: three:1\n';
  const text = changed('      incoming_topic', `${config}      incoming_topic`).replace(
    '      outgoing_topic',
    `${config}      outgoing_topic`,
  );
  assert.deepEqual(kafka(await load(text)).brokers, ['three:1']);
});

const refusals: readonly (readonly [what: string, text: string, fault: RegExp, env?: Environment])[] = [
  [
    'another consumer',
    changed('kafka_consumer.KafkaConsumer', 'synced_archive_consumer.SyncedArchiveConsumer'),
    /service\.consumer\.name \(line 15\): .*SyncedArchiveConsumer is not here/,
  ],
  [
    'another downloader',
    changed('http_downloader.HTTPDownloader', 's3_downloader.S3Downloader'),
    /service\.downloader\.name \(line 31\)/,
  ],
  [
    'another engine',
    changed('ocp_engine.OCPEngine', 'sha_extractor_engine.SHAExtractorEngine'),
    /service\.engine\.name \(line 36\)/,
  ],
  [
    'another publisher',
    changed('rule_processing_publisher.RuleProcessingPublisher', 'dvo_metrics_publisher.DVOMetricsPublisher'),
    /service\.publisher\.name \(line 38\)/,
  ],
  ['another format', changed('json.OCPRecommendationsJsonFormat', 'json.Other'), /service\.format \(line 12\)/],
  [
    'another watcher',
    changed('cluster_id_watcher.ClusterIdWatcher', 'other.Watcher'),
    /service\.watchers\[1\]\.name \(line 50\): there is no watcher/,
  ],
  [
    'rules of another package',
    changed('ccx_rules_processing', 'my_rules'),
    /plugins\.packages\[1\] \(line 5\): my_rules cannot be loaded/,
  ],
  [
    'a component of its own',
    changed('telemeter.TelemeterServiceConfig', 'other.Config'),
    /plugins\.configs\[0\]\.name \(line 7\)/,
  ],
  [
    'rules by prefix',
    changed('target_components: []', 'target_components: [ccx_rules_ocp.external.rules.x]'),
    /service\.target_components\[0\] \(line 13\)/,
  ],
  [
    'an option that nobody knows',
    changed('processing_timeout_s: 0', 'fetch.min.bytes: 5'),
    /service\.consumer\.kwargs\.fetch\.min\.bytes \(line 28\): there is no such setting/,
  ],
  [
    'a part that nobody knows',
    changed('  engine:\n', '  requests:\n    a: 1\n  engine:\n'),
    /service\.requests \(line 35\)/,
  ],
  ['a requeuer', changed('  engine:\n', '  requeuer: {name: x}\n  engine:\n'), /service\.requeuer \(line 35\)/],
  [
    'a log file',
    changed('logging.StreamHandler', 'logging.FileHandler'),
    /service\.logging\.handlers\.default\.class \(line 61\)/,
  ],
  [
    'a level that is none',
    changed('@{LOGLEVEL:DEBUG}', 'LOUD'),
    /service\.logging\.loggers\.ccx_messaging\.level \(line 73\)/,
  ],
  [
    'an age that is no number',
    changed('processing_timeout_s: 0', 'max_record_age: 2h'),
    /max_record_age \(line 28\): must be a whole number/,
  ],
  [
    'a flag that is none',
    changed('allow_unsafe_links: true', 'allow_unsafe_links: maybe'),
    /allow_unsafe_links \(line 34\): must be true or false/,
  ],
  [
    'other brokers of the publisher',
    changed('one:9092,two:9093', 'three:9092'),
    /service\.publisher\.kwargs\.bootstrap\.servers \(line 41\): must be what the consumer has/,
  ],
  [
    'a login of its own of the publisher',
    changed('sasl.password: @{PASSWORD}', 'sasl.password: other'),
    /service\.publisher\.kwargs\.sasl\.password \(line 45\)/,
  ],
  ['a login that is not set', complete, /service\.consumer\.kwargs\.sasl\.username \(line 23\): is not set/, {}],
  [
    'a topic that is not set',
    changed('@{CDP_INCOMING_TOPIC:platform.upload.announce}', '@{TOPIC}'),
    /incoming_topic \(line 17\): TOPIC is not set and has no default/,
  ],
  [
    'no topic',
    changed(/ {6}incoming_topic.*\n/, ''),
    /service\.consumer \(line 14\): kwargs\.incoming_topic is missing/,
  ],
  [
    'a watcher twice',
    changed('cluster_id_watcher.ClusterIdWatcher', 'stats_watcher.StatsWatcher'),
    /service\.watchers\[1\] \(line 50\): .* is there twice/,
  ],
  ['CloudWatch', complete, /LOGGING_TO_CW_ENABLED/, { ...login, LOGGING_TO_CW_ENABLED: 'True' }],
  [
    'packages of the environment',
    complete,
    /EXTRA_PACKAGES: mine cannot be loaded/,
    { ...login, EXTRA_PACKAGES: 'ccx_messaging,mine' },
  ],
];

for (const [what, text, fault, env = login] of refusals) {
  test(`it is refused by name and line: ${what}`, async () => {
    await assert.rejects(load(text, env), (error: Error) => {
      assert.equal(errorCode(error), 'CONFIG_HOSTED');
      assert.match(error.message, fault);
      assert.ok(!error.message.includes('secret'));
      return true;
    });
  });
}

test('all faults are told at once', async () => {
  const text = changed('kafka_consumer.KafkaConsumer', 'a.B')
    .replace('ocp_engine.OCPEngine', 'c.D')
    .replace('version: 1', 'verzion: 1');
  await assert.rejects(load(text), /line 15.*line 36.*verzion \(line 56\)/s);
});

test('a value that its setting does not take is refused by the name that it has in the file', async () => {
  await assert.rejects(load(changed('@{PORT:8001}', '70000')), {
    code: 'CONFIG_INVALID',
    message: /service\.watchers\[0\]\.kwargs\.prometheus_port \(line 49\) in .*config\.yaml/,
  });
});

test('a default in the way of a shell is taken for what was meant, with a warning', async () => {
  const { config, warnings } = await load(changed('@{LOGLEVEL:DEBUG}', '@{LOGLEVEL:-INFO}'));
  assert.equal(config['logging.log_level'], 'info');
  assert.match(warnings.join(), /line 73.*-INFO is taken for INFO/);
});

test('what is no YAML is refused with its line, and never quoted', async () => {
  for (const text of ['service: [\n', 'service:\n  a: *nothing\n', 'service:\nsecret\n']) {
    await assert.rejects(load(text), (error: Error) => {
      assert.equal(errorCode(error), 'CONFIG_FILE');
      assert.ok(!error.message.includes('secret'), error.message);
      return /line \d/.test(error.message);
    });
  }
});

test('a file of our own is read as before, YAML or not', async () => {
  const env = {};
  assert.equal((await load('[incoming]\ntopic = "t"\n', env, 'own.toml')).settings.incoming.topic, 't');
  assert.equal((await load('incoming:\n  topic: t\n', env, 'own.yaml')).settings.incoming.topic, 't');
});

const clowderDocument = {
  kafka: {
    brokers: [
      {
        ...{ hostname: 'broker', port: 9096, cacert: rootCertificates[0], securityProtocol: 'SASL_SSL' },
        sasl: { username: 'clowder', password: 'secret', saslMechanism: 'SCRAM-SHA-512' },
      },
      { hostname: 'other' },
    ],
    topics: [
      { requestedName: 'platform.upload.announce', name: 'announce-here' },
      { requestedName: 'platform.payload-status', name: 'status-here' },
    ],
  },
};

test('Clowder counts more than the file: brokers, login, authority, and what topics are really called', async () => {
  const path = join(temporaryFolder(), 'cdappconfig.json');
  writeFileSync(path, JSON.stringify(clowderDocument));
  const loaded = await load(complete, { CLOWDER_ENABLED: 'True', ACG_CONFIG: path });
  const { brokers, security } = kafka(loaded);
  assert.deepEqual([brokers, security.protocol], [['broker:9096'], 'SASL_SSL']);
  assert.deepEqual(security.sasl, { mechanism: 'SCRAM-SHA-512', user: 'clowder', password: 'secret' });
  assert.equal(security.tls?.ca, rootCertificates[0]);
  const { incoming, statusesTopic, resultsTopic } = loaded.settings;
  assert.deepEqual(
    [incoming.topic, statusesTopic, resultsTopic],
    ['announce-here', 'status-here', 'ccx.ocp.results.x'],
  );
  // The authority's file is gone once it was read.
  assert.equal(existsSync(loaded.config['bus.ca_file']), false);
});

test('without its word Clowder is not asked, and a document that cannot be used is refused', async () => {
  const folder = temporaryFolder();
  const broken = join(folder, 'broken.json');
  writeFileSync(broken, '{"secret');
  const empty = join(folder, 'empty.json');
  writeFileSync(empty, '{}');
  assert.deepEqual(
    kafka(await load(complete, { ...login, CLOWDER_ENABLED: 'no', ACG_CONFIG: broken })).brokers.length,
    2,
  );
  for (const path of [broken, empty, join(folder, 'missing.json')]) {
    await assert.rejects(load(complete, { ...login, CLOWDER_ENABLED: 'yes', ACG_CONFIG: path }), {
      code: 'CONFIG_CLOWDER',
      message: /^(?!.*secret)/,
    });
  }
});
