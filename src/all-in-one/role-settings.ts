/**
 * Each service's settings as they are here: its own environment names and its section of the file count, its defaults give way to what
 * an installation of one process needs (addresses of this machine, the data folder, threshold 2, no tag filters), and the flags of
 * `ccx all-in-one` win over all of them.
 */
import { randomBytes } from 'node:crypto';
import type { TargetName } from '../contracts/tables.ts';
import { CcxError, configInvalid } from '../encoding/ccx-error.ts';
import { type BusSettings, busOptions, busSettings } from '../platform/bus/bus-options.ts';
import { type ConfigLine, describeConfig } from '../platform/config/command-flags.ts';
import type { ConfigFile } from '../platform/config/config-file.ts';
import { type LoadedConfig, loadConfig } from '../platform/config/load-config.ts';
import { defineOptions, type OptionTable, settingsOf, withDefaults } from '../platform/config/options.ts';
import { dataPipelineRole } from '../services/data-pipeline/service.ts';
import { ingressRole } from '../services/ingress/service.ts';
import { notificationServiceRole } from '../services/notification-service/service.ts';
import { notificationWriterRole } from '../services/notification-writer/service.ts';
import { payloadTrackerRole } from '../services/payload-tracker/service.ts';
import { resultsRole } from '../services/results-api/service.ts';
import type { AllInOneSettings } from './config.ts';
import { mailReceiver } from './mail-receiver.ts';
import type { WantedStandIns } from './stand-ins/start-stand-ins.ts';

type Environment = Readonly<Record<string, string | undefined>>;
type Origin = Readonly<Record<string, string>>;

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
  resultsRole.options,
].map(({ name }) => name);

/** What the process decides for all its roles: its own sections `run`, `retention` and `logging` say it. */
const decidedForAll: readonly RegExp[] = [
  /^(bus|database|logging|operations|s3)\./,
  /^storage\.(?!record_retention|ensure_schema)/,
  /^(web\.(host|port)|metrics\.(port|address)|tracker\.url)$/,
  /^kafka\.(?!announce_topic|tracker_topic)/,
  /^broker\.(enabled|addresses|security_protocol|cert_path|sasl_)/,
];

/** What the stand-in for Service Log brings, where no real one is named. */
const ofServiceLogStandIn = /^notifier\.service_log\.(url|token_url|client_id|client_secret)$/;

/** Beside these what it shares with ingress, whose port and tokens are everybody's. */
const decidedForResults = /^(http\.(host|port)|gateway\..*)$/;

function isDecidedForAll(table: Pick<OptionTable, 'name'>, key: string): boolean {
  const isOfPort = table.name === resultsRole.options.name && decidedForResults.test(key);
  return isOfPort || decidedForAll.some((pattern) => pattern.test(key));
}

function withoutEffect(table: OptionTable, origin: Origin, file: ConfigFile | undefined): string[] {
  const keys = Object.keys(origin).filter((key) => origin[key] === 'file' && isDecidedForAll(table, key));
  return keys.map((key) => `${file?.path}: ${table.name}.${key} has no effect here, where all roles are one process`);
}

/** Each role's table as it is here, with its values. */
function loadRoleConfigs(settings: AllInOneSettings, env: Environment) {
  const { configFile, host } = settings;
  const load = <Table extends OptionTable>(table: Table) => {
    const file = configFile === undefined ? {} : { file: configFile };
    const loaded = loadConfig(table, { env, section: table.name, ...file });
    const lines = () => describeConfig(table, loaded);
    return { table, loaded, lines, warnings: [...loaded.warnings, ...withoutEffect(table, loaded.origin, configFile)] };
  };
  // Archives come from the ingress of this process, whose address is added when it is known, and from nowhere else.
  const dataPipeline = load(withDefaults(dataPipelineRole.options, { 'download.presigned_s3_links': false }));
  const receivers = receiversHere(load(notificationServiceRole.options).loaded, settings);
  const hasReceivers = receivers.length > 0;
  return {
    ingress: load(withDefaults(ingressRole.options, { 'upload.valid_types': ['openshift'] })),
    dataPipeline,
    writer: load(notificationWriterRole.options),
    // Only ingress asks it for traces: a fixed port would keep a second installation from starting on the same machine.
    tracker: load(withDefaults(payloadTrackerRole.options, { 'http.host': host, 'http.port': 0 })),
    // Both targets on where there is nobody else to tell, threshold 2, no tag filters; old reports are deleted, because nobody else would.
    // Packs are named once, for the pipeline.
    notifier: tellingThese(
      receivers,
      load(
        withDefaults(notificationServiceRole.options, {
          'kafka_broker.enabled': !hasReceivers,
          'kafka_broker.total_risk_threshold': 2,
          'kafka_broker.tag_filter_enabled': false,
          'service_log.enabled': !hasReceivers,
          'service_log.total_risk_threshold': 2,
          'service_log.tag_filter_enabled': false,
          'cleaner.enabled': true,
          'follow.poll': 1_000,
          'rules.packs': dataPipeline.loaded.config['rules.packs'],
        }),
      ),
    ),
    results: load(withDefaults(resultsRole.options, { 'rules.packs': dataPipeline.loaded.config['rules.packs'] })),
  };
}

type RoleConfigs = ReturnType<typeof loadRoleConfigs>;
type Receivers = NotifierConfig['lists']['receivers'];

/** Those of the file, and behind them those of `--alertmanager` and `--mail`, each called as its flag. */
function receiversHere({ lists }: NotifierConfig, settings: AllInOneSettings): Receivers {
  const { alertmanager: url } = settings;
  const alertmanager =
    url === '' ? undefined : notificationServiceRole.receiverEntry({ name: 'alertmanager', type: 'alertmanager', url });
  const ofFlags = [alertmanager, mailReceiver(settings)].filter((entry) => entry !== undefined);
  for (const { name } of ofFlags)
    if (lists.receivers.some((one) => one.name === name))
      throw configInvalid(`${name} is the name of the receiver of --${name}`, 'rename it in [[notifier.receivers]]');
  return [...lists.receivers, ...ofFlags];
}

function tellingThese<
  Role extends { readonly table: typeof notificationServiceRole.options; readonly loaded: NotifierConfig },
>(receivers: Receivers, role: Role) {
  const loaded = { ...role.loaded, lists: { receivers } };
  return { ...role, loaded, lines: () => describeConfig(role.table, loaded) };
}

/** Before anything is started: throws what a role would refuse, by the names that its settings have here. */
export function loadRoleSettings(settings: AllInOneSettings, env: Environment, version: string) {
  return settleRoles(loadRoleConfigs(settings, env), { settings, env, version });
}

function settleRoles(
  roles: RoleConfigs,
  { settings, env, version }: { settings: AllInOneSettings; env: Environment; version: string },
) {
  const { ingress, dataPipeline, writer, tracker, notifier, results } = roles;
  const ingressHere = {
    ...namedHere(ingress.table, () => ingressRole.settings(ingress.loaded, version)),
    ownToken: { token: randomBytes(ownTokenBytes).toString('base64url'), orgId: '1', accountNumber: '1' },
    host: settings.host,
    webPort: settings.port,
    webPortSetting: '--port',
    metricsPort: 0,
  };
  return {
    bus: allInOneBusSettings(settings, env),
    ingress: ingressHere,
    results: namedHere(results.table, () => {
      const own = resultsRole.settings(results.loaded.config);
      return { ...own, http: { ...own.http, host: settings.host } };
    }),
    dataPipeline: namedHere(dataPipeline.table, () => dataPipelineRole.settings(dataPipeline.loaded.config)),
    writer: namedHere(writer.table, () => notificationWriterRole.settings(writer.loaded.config)),
    tracker: namedHere(tracker.table, () => payloadTrackerRole.settings(tracker.loaded.config)),
    notifier: namedHere(notifier.table, () => {
      notificationServiceRole.checkSettings({ loaded: notifier.loaded, env });
      return notifier.loaded;
    }),
    standIns: wantedStandIns(notifier.loaded),
    standInTargets: standInTargets(wantedStandIns(notifier.loaded), settings),
    /** What `ccx roles` shows of each role's configuration, by the role's name. */
    described: new Map<string, readonly ConfigLine[]>(
      Object.values(roles).map((role) => [role.table.name, linesThatCount(role)]),
    ),
    /** Keys of the file that no role knows, or that say nothing here. */
    warnings: Object.values(roles).flatMap(({ warnings }) => warnings),
  };
}

/** For who is to be told, and is not there. */
function wantedStandIns({ config, origin }: Pick<NotifierConfig, 'config' | 'origin'>): WantedStandIns {
  return {
    notificationBackend: config['kafka_broker.enabled'] && origin['kafka_broker.addresses'] === 'default',
    serviceLog: config['service_log.enabled'] && origin['service_log.url'] === 'default',
  };
}

/** A stand-in reads brokers of one's own beside whoever else does: what is written there is not told to it alone. */
function standInTargets(
  { notificationBackend, serviceLog }: WantedStandIns,
  { kafkaBrokers }: AllInOneSettings,
): ReadonlySet<TargetName> {
  return new Set<TargetName>([
    ...(notificationBackend && kafkaBrokers.length === 0 ? (['notification-backend'] as const) : []),
    ...(serviceLog ? (['service-log'] as const) : []),
  ]);
}

type NotifierConfig = LoadedConfig<typeof notificationServiceRole.options>;

/** Addresses that are known only once the stand-ins run; real ones of the environment or the file stay. */
export function withStandIns(
  loaded: NotifierConfig,
  addresses: Readonly<Partial<Record<keyof typeof notificationServiceRole.options.options, string>>>,
): NotifierConfig {
  const missing = Object.entries(addresses).filter(([key]) => loaded.origin[key] === 'default');
  const config = { ...loaded.config, ...Object.fromEntries(missing) };
  return { ...loaded, config, settings: settingsOf(notificationServiceRole.options, config) };
}

function linesThatCount(role: {
  readonly table: OptionTable;
  readonly lines: () => readonly ConfigLine[];
}): readonly ConfigLine[] {
  return role.lines().filter(({ key }) => !isDecidedForAll(role.table, key));
}

/** For `--show-configuration`: the settings of all roles that count here, as they stand in the file. */
export function describeRoles(settings: AllInOneSettings, env: Environment, version: string) {
  const roles = loadRoleConfigs(settings, env);
  const { warnings, standIns } = settleRoles(roles, { settings, env, version });
  const lines = Object.values(roles).flatMap((role) =>
    linesThatCount(role).map((line) => ({ ...line, key: `${role.table.name}.${line.key}` })),
  );
  const isReplaced = ({ key, origin }: ConfigLine) =>
    standIns.serviceLog && origin === 'default' && ofServiceLogStandIn.test(key);
  return {
    lines: lines.map((line) => (isReplaced(line) ? { ...line, value: '', origin: 'of the stand-in' } : line)),
    warnings,
  };
}

/** A role's errors call its settings by its own keys, which stand in its section here. */
export function namedHere<Result>(table: OptionTable, work: () => Result): Result {
  try {
    const result = work();
    return result instanceof Promise ? (result.catch(rename) as Result) : result;
  } catch (error) {
    return rename(error);
  }

  function rename(error: unknown): never {
    if (!(error instanceof CcxError)) throw error;
    const { code, category, retryable, cause, hint } = error;
    const options = {
      code,
      category,
      retryable,
      cause,
      hint: hint === undefined ? undefined : inSectionOf(table, hint),
    };
    throw new CcxError(inSectionOf(table, error.message), options);
  }
}

function inSectionOf(table: OptionTable, text: string): string {
  return text.replace(/(?<![\w.-])[a-z][\w-]*(?:\.[\w-]+)+/g, (word) =>
    Object.hasOwn(table.options, word) && !isDecidedForAll(table, word) ? `${table.name}.${word}` : word,
  );
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
