/** `ccx ingress`: takes uploads until a signal. `ccx clusters` says whose the clusters are. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CcxError, configInvalid, errorFields } from '../../encoding/ccx-error.ts';
import { isOwnGateway } from '../../platform/auth/gateway-options.ts';
import type { Bus } from '../../platform/bus/bus.ts';
import { openBus } from '../../platform/bus/open-bus.ts';
import { requireTopics } from '../../platform/bus/require-topics.ts';
import { addTableOptions, loadCommandConfig } from '../../platform/config/command-flags.ts';
import type { LoadedConfig } from '../../platform/config/load-config.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { readVersion } from '../../platform/config/version.ts';
import { databaseOfUrl } from '../../platform/database/configured-database.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import type { Database } from '../../platform/database/database.ts';
import { buildWithLifecycle } from '../../platform/lifecycle/lifecycle.ts';
import type { OpenRole } from '../../platform/lifecycle/open-role.ts';
import type { ObjectStore } from '../../platform/objects/object-store.ts';
import { checkLifecycle } from '../../platform/objects/s3/lifecycle.ts';
import type { LogLevel } from '../../platform/telemetry/log.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import { createLateBus, type OpenedBus } from './bus-sender.ts';
import { registerClustersCommands } from './clusters.ts';
import {
  type IngressConfig,
  ingressBusSettings,
  ingressOptions,
  ingressS3SettingNames,
  ingressS3Settings,
  ingressSettings,
} from './config.ts';

/** Of the announcement topic on the embedded bus: so many data pipelines can share the work. The hosted topic has 64. */
const announcePartitions = 8;
/** The hosted status topic has as many. */
const statusPartitions = 3;
/** Connections for that; a look-up takes less than a millisecond. */
const recordsConnectionsMax = 4;

type LoadedIngress = LoadedConfig<typeof ingressOptions>;

const databaseSetting = 'database.url (CCX_DATABASE_URL)';

export function register(program: Command, input: ProcessInput): void {
  registerClustersCommands(program, input);
  const command = program.command('ingress').description('role: takes uploads, stores archives, announces them');
  addTableOptions(command, ingressOptions).action(async () => {
    const { applyClowder } = await import('./clowder.ts');
    const clowder = applyClowder(input.env);
    const loaded = loadCommandConfig(command, ingressOptions, { ...input, env: clowder.env });
    const { config } = loaded;
    const settings = ingressSettings(loaded, readVersion());
    const { openRole } = await import('../../platform/lifecycle/open-role.ts');
    const { startIngress } = await import('./service.ts');
    const warnings = [...loaded.warnings, ...clowder.warnings];
    const level = logLevel(config['logging.level']);
    await openRole({ name: 'ingress', level, loaded: { ...loaded, warnings } }, async (role) => {
      const { telemetry, clock, lifecycle } = role;
      lifecycle.defer('Clowder', () => clowder.cleanUp());
      const { objects, busOpened } = await openObjects(config, role);
      const bus = createLateBus(() => openIngressBus(loaded, role, busOpened));
      lifecycle.defer('bus', () => bus.close());
      const away = await bus.tryNow();
      if (away !== undefined)
        warnOf(telemetry, away, 'the bus is away: announcements are kept, and sent when it is back');
      const records = openRecords(loaded, role);
      // Whose the clusters are is kept only where tokens prove it.
      const database = isOwnGateway(settings) ? records : undefined;
      role.runs(await startIngress(settings, { bus, objects, telemetry, clock, database }), records);
    });
  });
}

/** Apart from the bus, which may be Kafka, and whose connections wait for the bus to come back. */
function openRecords(loaded: LoadedIngress, role: OpenRole): Database | undefined {
  if (loaded.config['database.url'] === '') return undefined;
  return role.database({
    ...databaseOfUrl(loaded, 'database.url', databaseSetting),
    applicationName: 'ccx ingress',
    connectionsMax: recordsConnectionsMax,
  });
}

function openIngressBus(
  loaded: LoadedIngress,
  { clock, telemetry }: OpenRole,
  busOpened: (bus: Bus) => void,
): Promise<OpenedBus> {
  const { config } = loaded;
  return buildWithLifecycle(clock, async (lifecycle) => {
    const settings = ingressBusSettings(config);
    const database = settings.kind === 'postgres' ? openBusDatabase(loaded) : undefined;
    if (database !== undefined) lifecycle.defer('database', () => database.close());
    const bus = await openBus(settings, { clock, telemetry, database });
    lifecycle.defer('bus', () => bus.close());
    if (settings.kind === 'kafka') await checkBrokers(bus, config, telemetry);
    // Brokers have administrators; tables have nobody else who would make them.
    else
      await bus.admin.ensureTopics([
        { name: config['kafka.announce_topic'], partitions: announcePartitions },
        { name: config['kafka.tracker_topic'], partitions: statusPartitions },
      ]);
    busOpened(bus);
    return {
      bus,
      async close() {
        await bus.close();
        await database?.close();
      },
    };
  });
}

function openBusDatabase(loaded: LoadedIngress): Database {
  if (loaded.config['database.url'] === '')
    throw configInvalid('bus.kind = postgres needs a database', 'set database.url (CCX_DATABASE_URL)');
  return connectDatabase({
    ...databaseOfUrl(loaded, 'database.url', databaseSetting),
    applicationName: 'ccx ingress',
  });
}

/** Rejects where a login or a topic is wrong, which ends the start, and while the brokers are away, which does not. */
async function checkBrokers(bus: Bus, config: IngressConfig, telemetry: Telemetry): Promise<void> {
  const needed = [
    { name: config['kafka.announce_topic'], setting: 'INGRESS_KAFKAANNOUNCETOPIC' },
    { name: config['kafka.tracker_topic'], setting: 'INGRESS_KAFKATRACKERTOPIC', optional: true },
  ];
  // One try: uploads are taken without the brokers, so that nobody has to wait for them here.
  await bus.check();
  await requireTopics(bus, needed, (error) => warnOf(telemetry, error, 'status messages cannot be sent'));
}

function warnOf({ log }: Telemetry, error: CcxError, text: string): void {
  log.warn({ ...errorFields(error), hint: error.hint }, text);
}

interface OpenedObjects {
  readonly objects: ObjectStore;
  /** Must not throw, and is not waited for. */
  readonly busOpened: (bus: Bus) => void;
}

function openObjects(config: IngressConfig, role: OpenRole): Promise<OpenedObjects> {
  return config['storage.implementation'] === 's3' ? openBucket(config, role) : openDirectory(config, role);
}

async function openBucket(config: IngressConfig, { clock, telemetry, lifecycle }: OpenRole): Promise<OpenedObjects> {
  const settings = ingressS3Settings(config);
  const { openS3Store } = await import('../../platform/objects/s3/s3-store.ts');
  const objects = await openS3Store({
    ...{ settings, names: ingressS3SettingNames, clock, writes: true },
    onAway: (error) => warnOf(telemetry, error, 'waiting for the object store'),
  }).catch((error: unknown) => {
    throw settings.endpoint === '' && error instanceof CcxError ? orInDirectory(error) : error;
  });
  lifecycle.defer('object store', () => objects.close());
  const announcements = config['kafka.announce_topic'];
  return {
    objects,
    busOpened: ({ admin }) =>
      void checkLifecycle(
        { rules: () => objects.lifecycleRules(), announcementsMs: () => admin.retentionMs(announcements) },
        telemetry.log,
      ),
  };
}

/** Who has named no S3 server may not have meant one: it is the reference's default. */
function orInDirectory(error: CcxError): CcxError {
  const { code, category, hint } = error;
  const instead = 'name an S3 server in INGRESS_MINIOENDPOINT, or set INGRESS_STAGERIMPLEMENTATION=filebased';
  return new CcxError(error.message, { code, category, cause: error.cause, hint: `${hint}; ${instead}` });
}

async function openDirectory(config: IngressConfig, { clock, telemetry, lifecycle }: OpenRole): Promise<OpenedObjects> {
  if (config['storage.path'] === '') {
    throw configInvalid('filebased storage needs a directory', 'set INGRESS_STORAGEFILESYSTEMPATH');
  }
  const { openDirectoryStore } = await import('../../platform/objects/directory/directory-store.ts');
  const store = await openDirectoryStore({
    path: resolve(config['storage.path']),
    clock,
    freeBytesMin: config['storage.free_bytes_min'],
    retention: { ageMs: config['storage.retention_age'], totalBytes: config['storage.retention_bytes'] },
    onRetention(report) {
      if (report instanceof CcxError) telemetry.log.error({ code: report.code }, report.message);
      else if (report.removedObjects > 0) telemetry.log.info({ ...report }, 'old archives removed');
    },
  });
  lifecycle.defer('object store', () => store.close());
  return { objects: store, busOpened: () => undefined };
}

/** In the words of the reference. */
function logLevel(text: string): LogLevel {
  return text === 'DEBUG' ? 'debug' : text === 'ERROR' ? 'error' : 'info';
}
