/**
 * The hosted pipeline's YAML, of the flavour that runs the external rules, → values of our own options. Names of classes are compared and
 * never loaded; what is not known is refused with its name and line, all of it at once. Called for `--config x.yaml` that has the
 * hosted file's sections. Source: data-pipeline.md 1.2 to 1.4, 2.1, 3.1, 6.1, 6.2.
 */
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { ConfigFile } from '../../../platform/config/config-file.ts';
import { placeOf, SettingReader } from './setting-reader.ts';
import { readSettingsTree, type Setting } from './settings-tree.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What Clowder says of the brokers, in the words of the file's own Kafka options, and what topics are really called. */
export interface ClowderKafka {
  readonly broker: Readonly<Record<string, string>>;
  readonly topicOf: (requested: string) => string;
}

/** The reference drops older records where the file says nothing. Source: data-pipeline.md 2.1. */
const recordAgeDefault = '7200s';

const className = {
  format: 'ccx_ocp_core.core.formats.json.OCPRecommendationsJsonFormat',
  consumer: 'ccx_messaging.consumers.kafka_consumer.KafkaConsumer',
  downloader: 'ccx_messaging.downloaders.http_downloader.HTTPDownloader',
  engine: 'ccx_messaging.engines.ocp_engine.OCPEngine',
  publisher: 'ccx_messaging.publishers.rule_processing_publisher.RuleProcessingPublisher',
  stats: 'ccx_messaging.watchers.stats_watcher.StatsWatcher',
  clusterId: 'ccx_messaging.watchers.cluster_id_watcher.ClusterIdWatcher',
  payloadTracker: 'ccx_messaging.watchers.payload_tracker_watcher.PayloadTrackerWatcher',
} as const;

/** Packages of rules and of what they need: ours are built in. */
const packages: ReadonlySet<string> = new Set([
  ...['ccx_rules_ocp.external', 'ccx_rules_processing', 'ccx_messaging', 'ccx_ocp_core'],
  ...['insights.specs.default', 'pythonjsonlogger', 'pythonjsonlogger.jsonlogger'],
]);
const pluginNames: ReadonlySet<string> = new Set(['ccx_ocp_core.config.telemeter.TelemeterServiceConfig']);

/** Kafka options, by what they are here; undefined: they have no effect, since nothing here waits for a message to be done. */
const kafkaOptions: Readonly<Record<string, string | undefined>> = {
  'bootstrap.servers': 'bus.brokers',
  'security.protocol': 'bus.security_protocol',
  'ssl.ca.location': 'bus.ca_file',
  'ssl.certificate.location': 'bus.certificate_file',
  'ssl.key.location': 'bus.key_file',
  'sasl.mechanism': 'bus.sasl_mechanism',
  'sasl.mechanisms': 'bus.sasl_mechanism',
  'sasl.username': 'bus.sasl_user',
  'sasl.password': 'bus.sasl_password',
  'client.id': 'bus.client_id',
};
const consumerKafkaOptions: Readonly<Record<string, string | undefined>> = {
  ...kafkaOptions,
  'group.id': 'incoming.group_id',
  'session.timeout.ms': 'bus.session_timeout',
  'auto.offset.reset': 'incoming.start_at',
  'max.poll.interval.ms': undefined,
  'heartbeat.interval.ms': undefined,
};
const loginKeys: ReadonlySet<string> = new Set(['bus.sasl_mechanism', 'bus.sasl_user', 'bus.sasl_password']);

/** Where a group begins, in all of librdkafka's words. */
const startAt: Readonly<Record<string, string>> = {
  ...{ earliest: 'earliest', smallest: 'earliest', beginning: 'earliest' },
  ...{ latest: 'latest', largest: 'latest', end: 'latest' },
};

const logLevels: Readonly<Record<string, string>> = {
  ...{ NOTSET: 'debug', DEBUG: 'debug', INFO: 'info', WARNING: 'warn', WARN: 'warn' },
  ...{ ERROR: 'error', CRITICAL: 'fatal', FATAL: 'fatal' },
};

interface HostedConfig {
  /** As `loadConfig` takes it. */
  readonly file: ConfigFile;
  readonly warnings: readonly string[];
}

/** True where the file is the hosted pipeline's and not a role's own. */
export function isHostedConfig(path: string, text: string): boolean {
  return /\.ya?ml$/i.test(path) && /^(service|plugins)\s*:/m.test(text);
}

/** Throws `CONFIG_FILE` for what is no YAML, `CONFIG_HOSTED` with every fault for what this program does not have. */
export function readHostedConfig(
  path: string,
  text: string,
  { env, clowder }: { readonly env: Environment; readonly clowder?: ClowderKafka | undefined },
): HostedConfig {
  const reader = new HostedReader(clowder);
  reader.document(readSettingsTree(path, text, env));
  reader.environment(env);
  if (reader.faults.length > 0) {
    throw new CcxError(`${path}: ${reader.faults.join('; ')}`, {
      code: 'CONFIG_HOSTED',
      category: 'configuration',
      hint: "the file may hold what the hosted pipeline's external rules need; docs/services/data-pipeline.md lists it",
    });
  }
  const file = { path, values: reader.values, tables: new Set<string>(), names: reader.names };
  return { file: { ...file, lineOfEntryKey: () => undefined }, warnings: reader.warnings };
}

class HostedReader extends SettingReader {
  readonly #clowder: ClowderKafka | undefined;

  constructor(clowder: ClowderKafka | undefined) {
    super();
    this.#clowder = clowder;
  }

  document(root: Setting): void {
    const { plugins, service } = this.members(root, ['plugins', 'service']);
    if (plugins !== undefined) this.#plugins(plugins);
    this.values.set('bus.kind', 'kafka');
    this.values.set('incoming.max_record_age', recordAgeDefault);
    this.values.set('incoming.platform_service', 'none');
    this.values.set('incoming.start_at', 'latest');
    this.values.set('statuses.topic', 'none');
    if (service === undefined) return void this.faults.push('service is missing');
    this.#service(service);
  }

  /** What the hosted program takes from the environment beside the file. */
  environment(env: Environment): void {
    const isOn = (name: string) => ['true', '1', 'yes', 'on'].includes((env[name] ?? '').toLowerCase());
    if (isOn('LOGGING_TO_CW_ENABLED')) {
      this.faults.push('LOGGING_TO_CW_ENABLED: there is no CloudWatch here; the log goes to standard output');
    }
    if (isOn('SENTRY_ENABLED')) this.warnings.push('SENTRY_ENABLED: there is no Sentry here; errors are in the log');
    for (const name of (env['EXTRA_PACKAGES'] ?? '').split(',')) {
      if (name.trim() !== '' && !packages.has(name.trim())) {
        this.faults.push(`EXTRA_PACKAGES: ${name.trim()} cannot be loaded: this program runs no Python`);
      }
    }
  }

  #plugins(plugins: Setting): void {
    const { default_component_enabled: enabled, ...lists } = this.members(plugins, [
      ...['default_component_enabled', 'packages', 'configs'],
    ] as const);
    if (enabled !== undefined && this.flag(enabled) === false) this.refuse(enabled, 'rules cannot be off by default');
    for (const one of this.list(lists.packages)) {
      const name = this.text(one);
      if (name !== undefined && !packages.has(name))
        this.refuse(one, `${name} cannot be loaded: this program runs no Python`);
    }
    for (const one of this.list(lists.configs)) {
      const { name } = this.members(one, ['name', 'enabled', 'metadata', 'tags', 'links', 'timeout']);
      const plugin = name === undefined ? undefined : this.text(name);
      if (plugin === undefined || !pluginNames.has(plugin)) {
        this.refuse(name ?? one, `there is no component ${plugin ?? ''} that could be configured`);
      }
    }
  }

  #service(service: Setting): void {
    const part = this.members(service, [
      ...([
        'format',
        'target_components',
        'extract_timeout',
        'extract_tmp_dir',
        'unpacked_archive_size_limit',
      ] as const),
      ...(['engine', 'consumer', 'downloader', 'publisher', 'requeuer', 'watchers', 'logging'] as const),
      'logging_configurator',
    ] as const);
    this.class(part.format, className.format);
    for (const one of this.list(part.target_components)) {
      const name = this.text(one);
      if (name !== 'ccx_rules_ocp.external')
        this.refuse(one, `${name ?? ''}: rules are chosen by rules.* here, not by prefixes`);
    }
    for (const unused of [part.extract_timeout, part.extract_tmp_dir]) {
      if (unused?.value !== undefined) {
        this.warnings.push(
          `${placeOf(unused)} has no effect: nothing is unpacked onto a disk; rules.rule_time_limit bounds it`,
        );
      }
    }
    const limit = part.unpacked_archive_size_limit;
    if (limit?.value !== undefined && Number(this.text(limit)) > 0) this.take(limit, 'archive.max_unpacked_size');
    for (const foreign of [part.requeuer, part.logging_configurator]) {
      if (foreign?.value !== undefined) this.refuse(foreign, 'there is none here');
    }
    if (part.consumer === undefined) this.refuse(service, 'consumer is missing');
    else this.#consumer(part.consumer);
    if (part.downloader !== undefined) this.#downloader(part.downloader);
    if (part.engine !== undefined) this.#engine(part.engine);
    if (part.publisher !== undefined) this.#publisher(part.publisher);
    this.#watchers(part.watchers);
    if (part.logging !== undefined) this.#logging(part.logging);
  }

  #consumer(consumer: Setting): void {
    const kwargs = this.component(consumer, className.consumer);
    const { own, kafka } = this.#withoutKafka(kwargs, [
      ...['incoming_topic', 'platform_service', 'dead_letter_queue_topic', 'max_record_age', 'processing_timeout_s'],
    ] as const);
    this.#topic(own.incoming_topic, 'incoming.topic');
    if (own.incoming_topic?.value === undefined) this.refuse(consumer, 'kwargs.incoming_topic is missing');
    this.#topic(own.dead_letter_queue_topic, 'dead_letters.topic');
    if (own.dead_letter_queue_topic?.value === undefined) {
      this.warnings.push(
        `${placeOf(consumer)} names no dead_letter_queue_topic: what cannot be processed goes to dead_letters.topic`,
      );
    }
    if (own.platform_service?.value !== undefined) this.take(own.platform_service, 'incoming.platform_service');
    const age = own.max_record_age?.value === undefined ? undefined : this.wholeNumber(own.max_record_age);
    if (age !== undefined) this.set(own.max_record_age!, 'incoming.max_record_age', age < 0 ? '0' : `${age}s`);
    if (own.processing_timeout_s?.value !== undefined) this.wholeNumber(own.processing_timeout_s);
    for (const [option, setting] of this.#kafka(kafka, consumerKafkaOptions)) this.#takeKafka(option, setting);
    this.#requireLogin();
  }

  #takeKafka(option: string, setting: Setting): void {
    const key = consumerKafkaOptions[option];
    if (key === undefined || setting.value === undefined) return;
    if (key === 'bus.brokers') this.set(setting, key, this.brokers(setting));
    else if (key === 'bus.session_timeout') this.set(setting, key, `${this.wholeNumber(setting) ?? 0}ms`);
    else if (key === 'incoming.start_at') {
      const known = startAt[this.text(setting) ?? ''];
      if (known === undefined) this.refuse(setting, 'is earliest or latest');
      else this.set(setting, key, known);
      // What is not set is asked for only where the protocol wants a login.
    } else if (loginKeys.has(key)) this.set(setting, key, setting.unset.length > 0 ? '' : String(setting.value));
    else this.take(setting, key);
  }

  /** Literal variables are no login. */
  #requireLogin(): void {
    if (
      !String(this.values.get('bus.security_protocol') ?? '')
        .toUpperCase()
        .startsWith('SASL_')
    )
      return;
    for (const key of ['bus.sasl_user', 'bus.sasl_password']) {
      if ((this.values.get(key) ?? '') !== '') continue;
      this.faults.push(
        `${this.names.get(key) ?? `service.consumer.kwargs.${key === 'bus.sasl_user' ? 'sasl.username' : 'sasl.password'}`}: is not set, and the brokers want a login`,
      );
    }
  }

  #downloader(downloader: Setting): void {
    const kwargs = this.component(downloader, className.downloader);
    const own = this.kwargs(kwargs, ['max_archive_size', 'allow_unsafe_links'] as const);
    if (own.max_archive_size?.value !== undefined) this.take(own.max_archive_size, 'download.max_archive_size');
    if (own.allow_unsafe_links?.value === undefined) return;
    const flag = this.flag(own.allow_unsafe_links);
    if (flag !== undefined) this.set(own.allow_unsafe_links, 'download.allow_unsafe_links', String(flag));
  }

  #engine(engine: Setting): void {
    const kwargs = this.component(engine, className.engine);
    const own = this.kwargs(kwargs, ['formatter', 'target_components', 'extract_timeout', 'extract_tmp_dir'] as const);
    this.class(own.formatter, className.format);
    for (const one of this.list(own.target_components)) this.refuse(one, 'rules are chosen by rules.* here');
  }

  /** One connection for all: what the publisher says of brokers and login has to be what the consumer says. */
  #publisher(publisher: Setting): void {
    const kwargs = this.component(publisher, className.publisher);
    const { own, kafka } = this.#withoutKafka(kwargs, ['outgoing_topic', 'compression'] as const);
    this.#topic(own.outgoing_topic, 'results.topic');
    if (own.outgoing_topic?.value === undefined) this.refuse(publisher, 'kwargs.outgoing_topic is missing');
    if (own.compression?.value !== undefined && this.text(own.compression) !== 'none') {
      this.refuse(own.compression, 'reports are sent as they are: their readers take no other');
    }
    this.#sameBrokers(kafka);
  }

  #sameBrokers(kafka: ReadonlyMap<string, Setting>): void {
    const isLogin = String(this.values.get('bus.security_protocol') ?? '')
      .toUpperCase()
      .startsWith('SASL_');
    for (const [option, setting] of this.#kafka(kafka, kafkaOptions)) {
      const key = kafkaOptions[option]!;
      if (setting.value === undefined || key === 'bus.client_id' || (loginKeys.has(key) && !isLogin)) continue;
      const said = key === 'bus.brokers' ? this.brokers(setting).join() : String(setting.value);
      if (said !== String(this.values.get(key) ?? ''))
        this.refuse(setting, 'must be what the consumer has: there is one bus');
    }
  }

  #watchers(watchers: Setting | undefined): void {
    const seen = new Set<string>();
    for (const one of this.list(watchers)) {
      const { name, kwargs } = this.members(one, ['name', 'args', 'kwargs'] as const);
      const watcher = name === undefined ? '' : (this.text(name) ?? '');
      if (seen.has(watcher)) this.refuse(one, `${watcher} is there twice`);
      seen.add(watcher);
      if (watcher === className.stats) {
        const { prometheus_port: port } = this.kwargs(kwargs, ['prometheus_port'] as const);
        if (port?.value !== undefined) this.take(port, 'operations.port');
      } else if (watcher === className.payloadTracker) this.#payloadTracker(one, kwargs);
      else if (watcher === className.clusterId) this.kwargs(kwargs, [] as const);
      else this.refuse(name ?? one, `there is no watcher ${watcher} here`);
    }
  }

  #payloadTracker(watcher: Setting, kwargs: Setting | undefined): void {
    const { own, kafka } = this.#withoutKafka(kwargs, ['topic', 'service_name'] as const);
    if (own.topic?.value === undefined) this.refuse(watcher, 'kwargs.topic is missing');
    this.#topic(own.topic, 'statuses.topic');
    if (own.service_name?.value !== undefined) this.take(own.service_name, 'statuses.service_name');
    this.#sameBrokers(kafka);
  }

  /** Only levels are taken: everything goes to standard output as JSON. */
  #logging(logging: Setting): void {
    const part = this.members(logging, [
      ...['version', 'disable_existing_loggers', 'handlers', 'formatters', 'root', 'loggers'],
    ] as const);
    for (const handler of this.map(part.handlers).values()) {
      const { class: name, stream } = this.members(handler, ['level', 'class', 'stream', 'formatter'] as const);
      if (name !== undefined && this.text(name) !== 'logging.StreamHandler') {
        this.refuse(name, 'the log goes to standard output and nowhere else');
      }
      if (stream !== undefined && !/^ext:\/\/sys\.std(out|err)$/.test(this.text(stream) ?? '')) {
        this.refuse(stream, 'the log goes to standard output and nowhere else');
      }
    }
    for (const formatter of this.map(part.formatters).values()) {
      this.members(formatter, ['()', 'format', 'datefmt', 'class', 'style'] as const);
    }
    const loggers = this.map(part.loggers);
    const levels = new Map([...loggers].map(([name, logger]) => [name, this.#level(logger)]));
    const root = part.root === undefined ? undefined : this.#level(part.root);
    // The one that the hosted pipeline itself logs by.
    const chosen = levels.get('ccx_messaging') ?? root;
    if (chosen !== undefined) this.set(chosen.setting, 'logging.log_level', chosen.level);
  }

  #level(logger: Setting): { readonly level: string; readonly setting: Setting } | undefined {
    const { level: setting } = this.members(logger, ['level', 'handlers', 'propagate'] as const);
    const text = setting === undefined ? undefined : this.text(setting);
    if (setting === undefined || text === undefined) return undefined;
    const level = logLevels[text.replace(/^-/, '').toUpperCase()];
    if (level === undefined) this.refuse(setting, 'is a level of Python: DEBUG, INFO, WARNING, ERROR or CRITICAL');
    else if (text.startsWith('-'))
      this.warnings.push(
        `${placeOf(setting)}: ${text} is taken for ${text.slice(1)}; a default is written \${NAME:DEFAULT}`,
      );
    return level === undefined ? undefined : { level, setting };
  }

  #topic(setting: Setting | undefined, key: string): void {
    if (setting?.value === undefined) return;
    const text = this.text(setting);
    if (text !== undefined) this.set(setting, key, this.#clowder?.topicOf(text) ?? text);
  }

  /** Own arguments apart from those that the Kafka client gets; what `kafka_broker_config` says, or Clowder, counts more than the others. */
  #withoutKafka<const Name extends string>(kwargs: Setting | undefined, names: readonly Name[]) {
    const own: Record<string, Setting> = {};
    const kafka = new Map<string, Setting>();
    for (const [name, member] of this.map(kwargs)) {
      if ((names as readonly string[]).includes(name)) own[name] = member;
      else if (name !== 'kafka_broker_config') kafka.set(name, member);
    }
    for (const [name, member] of this.map(this.map(kwargs).get('kafka_broker_config'))) kafka.set(name, member);
    for (const [name, value] of Object.entries(this.#clowder?.broker ?? {})) {
      kafka.set(name, { name: `Clowder's ${name}`, line: 0, value, unset: [] });
    }
    return { own: own as { readonly [Key in Name]?: Setting }, kafka };
  }

  /** Those that are known; any other is a fault. */
  *#kafka(
    given: ReadonlyMap<string, Setting>,
    known: Readonly<Record<string, string | undefined>>,
  ): Generator<[string, Setting]> {
    for (const [option, setting] of given) {
      if (Object.hasOwn(known, option)) yield [option, setting];
      else this.refuse(setting, 'there is no such setting here');
    }
  }
}
