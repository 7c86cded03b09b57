/**
 * What the notification service works with, opened from its configuration: targets with their brokers and credentials, rule content,
 * disabled rules. Called by `ccx notifier` and by the all-in-one process; everything that is opened here is closed by the given lifecycle.
 */

import { TABLE_CLUSTER_RULE_TOGGLE, TABLE_RULE_DISABLE, type TargetName } from '../../contracts/tables.ts';
import { CcxError, errorFields } from '../../encoding/ccx-error.ts';
import type { Bus } from '../../platform/bus/bus.ts';
import { type BusSettings, busSettings } from '../../platform/bus/bus-options.ts';
import { openBus } from '../../platform/bus/open-bus.ts';
import { requireTopics } from '../../platform/bus/require-topics.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { LoadedConfig } from '../../platform/config/load-config.ts';
import { environmentName } from '../../platform/config/options.ts';
import type { Database, Queryable } from '../../platform/database/database.ts';
import { createServerContent } from '../../platform/http/server-content.ts';
import type { Lifecycle } from '../../platform/lifecycle/lifecycle.ts';
import { brokerSettings } from '../../platform/reference/broker-settings.ts';
import { secretRequest } from '../../platform/secrets/secret-source.ts';
import { type VaultSettings, vaultSettings } from '../../platform/secrets/vault/vault-settings.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import { CATALOG_CONTENT_ROOT } from '../../rules/catalog/content-root.ts';
import { createFolderContent } from '../../rules/content/folder-content.ts';
import { createJoinedContent } from '../../rules/content/join-content.ts';
import { openPackTexts } from '../../rules/packs/pack-texts.ts';
import type { Receiver } from './config.ts';
import { type NotificationServiceConfig, notificationServiceOptions } from './config.ts';
import type { DisabledRulesSource } from './decide/disabled-rules.ts';
import { collectDisabledRules, type DisabledRow } from './decide/disabled-rules.ts';
import { openAggregator } from './open-database.ts';
import type { ContentSource, ReceiverTarget, Target } from './ports.ts';
import { receiverSettings } from './receivers/receiver-settings.ts';
import { createKafkaTarget, type TargetBus } from './targets/kafka-target/kafka-target.ts';
import type { ServiceLogTargetSettings } from './targets/service-log-target/service-log-target.ts';
import { templateRendererUrl } from './targets/uri-template.ts';
import { contentFaultsFound } from './telemetry.ts';

interface OpenOptions {
  readonly loaded: LoadedConfig<typeof notificationServiceOptions>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly lifecycle: Lifecycle;
  readonly database: Database;
  /** Targets whose address is that of a stand-in of this process. */
  readonly standIns?: ReadonlySet<TargetName>;
  /** The bus that this process has already; absent: the one that the settings name is opened. */
  readonly bus?: Bus;
  /** Certificate authority of the named brokers, PEM, where it does not come from a file. */
  readonly brokerCa?: string;
  /** Brokers that make topics by themselves may make this one, as the reference lets them. */
  readonly mayMakeTopic?: boolean;
  /** Nothing is sent: no broker is asked for anything. */
  readonly composesOnly?: boolean;
}

/** Rejects with a `CcxError` whose hint names the setting; what was opened until then is closed by the lifecycle. */
export async function openNotificationDependencies(options: OpenOptions) {
  const { loaded, clock, lifecycle } = options;
  const { config } = loaded;
  // Read before a broker is asked for anything: a wrong setting is said at once.
  const { vault, serviceLog, brokers, receivers } = dependencySettings(options);
  const packs = await openPackTexts({
    ...{ folders: config['rules.packs'], clock },
    onBroken: (error) => options.telemetry.log.error(errorFields(error), 'a change of the rule packs is not in force'),
  });
  const targets: Target[] = [];
  const opened = (target: Target) => {
    lifecycle.defer(`target ${target.name}`, () => target.close());
    targets.push({ ...target, isStandIn: options.standIns?.has(target.name) === true });
  };
  if (config['kafka_broker.enabled']) {
    const topic = config['kafka_broker.topic'];
    const clusterDetailsUri = config['notifications.cluster_details_uri'];
    const ruleDetailsUri = config['notifications.rule_details_uri'];
    const bus = await notificationBus(options, { topic, brokers });
    const messages = { topic, clusterDetailsUri, ruleDetailsUri, recordBytesMax: config['bus.record_bytes_max'] };
    opened(await createKafkaTarget(messages, { bus, clock }));
  }
  if (serviceLog !== undefined) opened(await openServiceLog(options, serviceLog, vault));
  return {
    targets,
    receivers: await openReceivers(options, { receivers, vault }),
    content: contentSource(config, options.telemetry),
    packs,
    disabledRules: openDisabledRules(options),
  };
}

/** Those of the configuration, in its order. Opens no connection. */
export async function openReceivers(
  { loaded, clock, telemetry, lifecycle }: Pick<OpenOptions, 'loaded' | 'clock' | 'telemetry' | 'lifecycle'>,
  { receivers, vault }: Pick<ReturnType<typeof dependencySettings>, 'receivers' | 'vault'>,
): Promise<readonly Receiver[]> {
  if (receivers.length === 0) return [];
  const { openSecretSource } = await import('../../platform/secrets/open-secret-source.ts');
  const { createWebhookTarget } = await import('./targets/webhook-target/webhook-target.ts');
  const secrets = openSecretSource({ vault, clock, telemetry });
  lifecycle.defer('secrets of receivers', () => secrets.close());
  const clusterDetailsUri = loaded.config['notifications.cluster_details_uri'];
  const ruleDetailsUri = loaded.config['notifications.rule_details_uri'];
  const dependencies = { secrets, clock, clusterDetailsUri, ruleDetailsUri };
  const opened: Receiver[] = [];
  const targetsOf = async (settings: (typeof receivers)[number]['settings']): Promise<readonly ReceiverTarget[]> => {
    switch (settings.type) {
      case 'alertmanager': {
        const { createAlertmanagerTarget } = await import('./targets/alertmanager-target/alertmanager-target.ts');
        return [createAlertmanagerTarget(settings, dependencies)];
      }
      case 'email': {
        const { createEmailTargets } = await import('./targets/email-target/email-target.ts');
        return createEmailTargets(settings, dependencies);
      }
      case 'webhook':
        return [createWebhookTarget(settings, dependencies)];
    }
  };
  for (const { settings, policy } of receivers) {
    for (const target of await targetsOf(settings)) {
      lifecycle.defer(`receiver ${target.name}`, () => target.close());
      opened.push({ target, policy });
    }
  }
  return opened;
}

/** Loaded where it is enabled: its answers are checked by schemas, its texts are rendered by processes, its credentials may lie in Vault. */
async function openServiceLog(
  { loaded, clock, telemetry, lifecycle }: OpenOptions,
  settings: ServiceLogTargetSettings,
  vault: VaultSettings | undefined,
): Promise<Target> {
  const { openSecretSource } = await import('../../platform/secrets/open-secret-source.ts');
  const { createServiceLogTarget } = await import('./targets/service-log-target/service-log-target.ts');
  const secrets = openSecretSource({ vault, clock, telemetry });
  lifecycle.defer('secrets', () => secrets.close());
  const secret = (key: 'service_log.client_id' | 'service_log.client_secret') =>
    secrets.secret(secretRequest({ table: notificationServiceOptions, key, loaded }));
  const clientId = secret('service_log.client_id');
  const clientSecret = secret('service_log.client_secret');
  return createServiceLogTarget(settings, { clientId, clientSecret, clock, telemetry });
}

/** Opens nothing. Throws a `CcxError` whose hint names the setting. */
export function dependencySettings({ loaded, env, brokerCa }: Pick<OpenOptions, 'loaded' | 'env' | 'brokerCa'>) {
  const { config } = loaded;
  const isNamed = config['kafka_broker.enabled'] && config['kafka_broker.addresses'] !== '';
  return {
    vault: vaultSettings({ config, env, environmentName: (key) => environmentName(notificationServiceOptions, key) }),
    serviceLog: config['service_log.enabled'] ? serviceLogSettings(config) : undefined,
    /** Of the notification backend, where they are named. */
    brokers: isNamed ? backendBrokers(config, brokerCa) : undefined,
    receivers: receiverSettings(loaded.lists.receivers),
  };
}

function serviceLogSettings(config: NotificationServiceConfig): ServiceLogTargetSettings {
  const renderer = config['dependencies.template_renderer_server'];
  return {
    url: config['service_log.url'],
    tokenUrl: config['service_log.token_url'],
    timeoutMs: config['service_log.timeout'],
    createdBy: config['service_log.created_by'],
    username: config['service_log.username'],
    ruleDetailsUri: config['service_log.rule_details_uri'],
    ...(renderer === ''
      ? {}
      : { rendererUrl: templateRendererUrl(renderer, config['dependencies.template_renderer_endpoint']) }),
  };
}

/** The brokers of the notification backend if they are named, else the bus that this process has, else the one of the bus.* settings. */
async function notificationBus(
  { clock, telemetry, lifecycle, database, bus, ...options }: OpenOptions,
  { topic, brokers }: { readonly topic: string; readonly brokers: BusSettings | undefined },
): Promise<TargetBus> {
  if (options.composesOnly === true) return noBus;
  if (brokers === undefined && bus !== undefined) return bus;
  const settings = brokers ?? busSettings(options.loaded.config, 'notifier');
  const mayMakeTopics = options.mayMakeTopic === true;
  const opened = await openBus(settings.kind === 'kafka' ? { ...settings, mayMakeTopics } : settings, {
    clock,
    telemetry,
    database,
    mayBeIdle: true,
  });
  lifecycle.defer('bus of the notification backend', () => opened.close());
  return {
    createProducer: () => opened.createProducer(),
    check: () => requireTopics(opened, [{ name: topic, setting: 'kafka_broker.topic' }]),
  };
}

const noBus: TargetBus = {
  createProducer: async () => ({
    sendEach: () => Promise.reject(new Error('nothing is sent where messages are only composed')),
    close: async () => undefined,
  }),
  check: async () => undefined,
};

function backendBrokers(config: NotificationServiceConfig, ca: string | undefined): BusSettings {
  return brokerSettings(config, 'kafka_broker', {
    clientId: config['bus.client_id'] || 'ccx-notifier',
    deliveryMsMax: config['kafka_broker.timeout'],
    recordBytesMax: config['bus.record_bytes_max'],
    ...(ca === undefined ? {} : { ca }),
  });
}

function contentSource(config: NotificationServiceConfig, telemetry: Telemetry): ContentSource {
  const own = createFolderContent({
    folder: config['dependencies.content_folder'] || CATALOG_CONTENT_ROOT,
    setting: 'dependencies.content_folder',
    onFaults: (faults) => contentFaultsFound(telemetry, faults),
  });
  const server = config['dependencies.content_server'];
  if (server === '') return own;
  const hosted = createServerContent({ server, endpoint: config['dependencies.content_endpoint'] });
  const counts = config['dependencies.content_first'];
  if (counts === 'server-only') return hosted;
  const [first, second] = counts === 'own' ? [own, hosted] : [hosted, own];
  return createJoinedContent({ first, second, exceptions: config['dependencies.content_exceptions'] });
}

/** A database that is not configured is met when the rules are read, behind targets that cannot be used, as in the reference. */
function openDisabledRules(options: OpenOptions): DisabledRulesSource | undefined {
  const { lifecycle } = options;
  const { config } = options.loaded;
  if (config['disabled_rules.ignore']) return undefined;
  try {
    if (config['aggregator_storage.db_driver'] !== 'postgres') throw aggregatorDriver(config);
    const aggregator = openAggregator({ ...options, applicationName: 'ccx-notifier' });
    lifecycle.defer('aggregator database', () => aggregator.close());
    return createDisabledRulesDatabase(aggregator);
  } catch (cause) {
    return {
      load: async () => {
        throw disabledRulesUnavailable(cause);
      },
    };
  }
}

function aggregatorDriver(config: NotificationServiceConfig): CcxError {
  const driver = config['aggregator_storage.db_driver'];
  const text = driver === '' ? 'is not set' : `names ${driver}, which is not supported`;
  return new CcxError(`aggregator_storage.db_driver ${text}`, { code: 'DATABASE_DRIVER', category: 'configuration' });
}

/** Rejects with code `DISABLED_RULES_UNAVAILABLE`. The database is the caller's to close. */
export function createDisabledRulesDatabase(database: Database): DisabledRulesSource {
  return {
    async load() {
      try {
        return await database.transaction(readBoth, { isolation: 'repeatable read', readOnly: true });
      } catch (cause) {
        throw disabledRulesUnavailable(cause);
      }
    },
  };
}

function disabledRulesUnavailable(cause: unknown): CcxError {
  return new CcxError('the disabled rules cannot be read from the aggregator database', {
    code: 'DISABLED_RULES_UNAVAILABLE',
    category: 'storage',
    retryable: true,
    cause,
    hint: 'check the section aggregator_storage (aggregator_storage.pg_host and its neighbours), or notify without them: --ignore-disabled-rules (disabled_rules.ignore)',
  });
}

async function readBoth(queryable: Queryable) {
  const ofClusters = await queryable.query<DisabledRow>(
    `SELECT cluster_id::text AS scope, rule_id::text AS rule, error_key::text AS "errorKey" FROM ${TABLE_CLUSTER_RULE_TOGGLE} WHERE disabled = 1`,
  );
  const ofOrganizations = await queryable.query<DisabledRow>(
    `SELECT org_id::text AS scope, rule_id::text AS rule, error_key::text AS "errorKey" FROM ${TABLE_RULE_DISABLE}`,
  );
  return collectDisabledRules(ofClusters.rows, ofOrganizations.rows);
}
