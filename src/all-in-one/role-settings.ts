/**
 * Each service's settings as they are here: its own environment names and its section of the file count, its defaults give way to what
 * an installation of one process needs (addresses of this machine, the data folder, threshold 2, no tag filters), and the flags of
 * `ccx all-in-one` win over all of them.
 */
import { randomBytes } from 'node:crypto';
import { type BusSettings, busOptions, busSettings } from '../platform/bus/bus-options.ts';
import { type LoadedConfig, loadConfig } from '../platform/config/load-config.ts';
import { defineOptions, type OptionTable, withDefaults } from '../platform/config/options.ts';
import { dataPipelineRole } from '../services/data-pipeline/service.ts';
import { ingressRole } from '../services/ingress/service.ts';
import { notificationServiceRole } from '../services/notification-service/service.ts';
import { notificationWriterRole } from '../services/notification-writer/service.ts';
import { payloadTrackerRole } from '../services/payload-tracker/service.ts';
import type { AllInOneSettings } from './config.ts';
import type { WantedStandIns } from './stand-ins/start-stand-ins.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The bus of all services; security settings of the brokers come from the environment. */
const allInOneBus = defineOptions({ name: 'all-in-one', envPrefix: 'CCX_ALL_IN_ONE', options: { ...busOptions } });

/** More than anybody can guess. Another token at every start; organization 1 owns everything that is uploaded by hand. */
const ownTokenBytes = 32;

/** Roles whose sections the file may have, below their names: `[notifier.delivery]` is `[delivery]` of `ccx notifier`. */
export const rolesOfFile: readonly string[] = [
  ingressRole.options,
  dataPipelineRole.options,
  notificationWriterRole.options,
  notificationServiceRole.options,
  payloadTrackerRole.options,
].map(({ name }) => name);

/** What the process decides for all its roles: its own sections `run`, `retention` and `logging` say it. */
const decidedForAll: readonly RegExp[] = [
  /^(bus|database|logging|operations)\./,
  /^storage\.(?!record_retention|ensure_schema)/,
  /^(web\.(host|port)|metrics\.(port|address)|tracker\.url)$/,
  /^kafka\.(?!announce_topic|tracker_topic)/,
  /^broker\.(enabled|addresses|security_protocol|cert_path|sasl_)/,
];

function withoutEffect(table: OptionTable, origin: Readonly<Record<string, string>>, file = ''): string[] {
  const given = Object.keys(origin).filter((key) => origin[key] === 'file');
  const keys = given.filter((key) => decidedForAll.some((pattern) => pattern.test(key)));
  return keys.map((key) => `${file}: ${table.name}.${key} has no effect here, where all roles are one process`);
}

function sectionOf({ name }: OptionTable, { configFile }: Pick<AllInOneSettings, 'configFile'>) {
  return configFile === undefined ? {} : { file: configFile, section: name };
}

export function loadRoleSettings(settings: AllInOneSettings, env: Environment, version: string) {
  const warnings: string[] = [];
  const load = <Table extends OptionTable>(table: Table): LoadedConfig<Table> => {
    const loaded = loadConfig(table, { env, ...sectionOf(table, settings) });
    warnings.push(...loaded.warnings, ...withoutEffect(table, loaded.origin, settings.configFile));
    return loaded;
  };
  const ingress = load(withDefaults(ingressRole.options, { 'upload.valid_types': ['openshift'] }));
  // Archives come from the ingress of this process, whose address is added when it is known, and from nowhere else.
  const dataPipeline = load(withDefaults(dataPipelineRole.options, { 'download.presigned_s3_links': false }));
  const writer = load(notificationWriterRole.options);
  // Only ingress asks it for traces: a fixed port would keep a second installation from starting on the same machine.
  const tracker = load(withDefaults(payloadTrackerRole.options, { 'http.host': settings.host, 'http.port': 0 }));
  const notifier = loadNotifierConfig(settings, env);
  const { warnings: unknown, origin } = notifier;
  warnings.push(...unknown, ...withoutEffect(notificationServiceRole.options, origin, settings.configFile));
  const standIns: WantedStandIns = {
    notificationBackend: notifier.origin['kafka_broker.addresses'] === 'default',
    serviceLog: notifier.origin['service_log.url'] === 'default',
  };
  return {
    bus: allInOneBusSettings(settings, env),
    ingress: {
      ...ingressRole.settings(ingress, version),
      ownToken: { token: randomBytes(ownTokenBytes).toString('base64url'), orgId: '1', accountNumber: '1' },
      host: settings.host,
      webPort: settings.port,
      webPortSetting: '--port',
      metricsPort: 0,
    },
    dataPipeline: dataPipelineRole.settings(dataPipeline.config),
    writer: notificationWriterRole.settings(writer.config),
    tracker: payloadTrackerRole.settings(tracker.config),
    standIns,
    /** Keys of the file that no role knows, or that say nothing here. */
    warnings,
  };
}

/**
 * Both targets on, threshold 2, no tag filters; old reports are deleted, because nobody else would. `defaults` are the stand-ins' addresses,
 * which give way to real ones of the environment or the file.
 */
export function loadNotifierConfig(
  settings: Pick<AllInOneSettings, 'configFile'>,
  env: Environment,
  defaults: Parameters<typeof withDefaults<typeof notificationServiceRole.options>>[1] = {},
): LoadedConfig<typeof notificationServiceRole.options> {
  const table = withDefaults(notificationServiceRole.options, {
    'kafka_broker.enabled': true,
    'kafka_broker.total_risk_threshold': 2,
    'kafka_broker.tag_filter_enabled': false,
    'service_log.enabled': true,
    'service_log.total_risk_threshold': 2,
    'service_log.tag_filter_enabled': false,
    'cleaner.enabled': true,
    'follow.poll': 1_000,
    'follow.min_gap': 50,
    ...defaults,
  });
  return loadConfig(table, { env, ...sectionOf(table, settings) });
}

function allInOneBusSettings({ kafkaBrokers, retention }: AllInOneSettings, env: Environment): BusSettings {
  const { config } = loadConfig(
    withDefaults(allInOneBus, { 'bus.retention': retention.topicsMs, 'bus.retention_bytes': retention.topicsBytes }),
    {
      env,
      ...(kafkaBrokers.length === 0 ? {} : { flags: { 'bus.kind': 'kafka', 'bus.brokers': kafkaBrokers.join(',') } }),
    },
  );
  return busSettings(config, 'all-in-one');
}
