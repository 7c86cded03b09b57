/**
 * Composition root of the all-in-one process: PostgreSQL, topics, object store, all services and, where no real receiver is configured, the
 * stand-ins for the notification backend and Service Log. Started by `ccx all-in-one` and by tests; one straight function on purpose,
 * because every part needs what came before it.
 */
import type { Registry } from 'prom-client';
import {
  DEAD_LETTER_TOPICS,
  TOPIC_NOTIFICATIONS,
  TOPIC_OCP_RESULTS,
  TOPIC_PAYLOAD_STATUS,
  TOPIC_UPLOAD_ANNOUNCE,
} from '../contracts/topics.ts';
import type { Bus, TopicSpec } from '../platform/bus/bus.ts';
import { openBus } from '../platform/bus/open-bus.ts';
import type { Clock } from '../platform/clock/clock.ts';
import { migrateCcx } from '../platform/database/ccx-migrations.ts';
import { connectDatabase } from '../platform/database/connect-database.ts';
import type { DatabaseLocation } from '../platform/database/database.ts';
import { EMBEDDED_DATABASE_NAME } from '../platform/database/database-location.ts';
import {
  createDatabaseIfMissing,
  startEmbeddedPostgres,
} from '../platform/database/embedded/start-embedded-postgres.ts';
import { limitConnections } from '../platform/http/connections.ts';
import { certificateEvents, createOperationsServer } from '../platform/http/operations-server.ts';
import type { Lifecycle, Readiness, RunningService } from '../platform/lifecycle/lifecycle.ts';
import { ensureNotificationSchema } from '../platform/records/notification-schema.ts';
import { keepRoleRecord } from '../platform/records/role-record.ts';
import { joinRegistries } from '../platform/telemetry/joined-registries.ts';
import { createTelemetry, type Telemetry } from '../platform/telemetry/telemetry.ts';
import { dataPipelineRole, startDataPipeline } from '../services/data-pipeline/service.ts';
import { ingressRole, mountIngress, type RunningIngress } from '../services/ingress/service.ts';
import { notificationServiceRole, startNotificationService } from '../services/notification-service/service.ts';
import { notificationWriterRole, startNotificationWriter } from '../services/notification-writer/service.ts';
import { payloadTrackerRole, startPayloadTracker } from '../services/payload-tracker/service.ts';
import { mountResultsApi, resultsRole } from '../services/results-api/service.ts';
import { archiveConditions } from './archive-conditions.ts';
import { type AllInOneSettings, type DataFolder, dataFolderAt } from './config.ts';
import { bucketSettings, openArchives } from './open-archives.ts';
import { rememberInstallation } from './remember-installation.ts';
import { loadRoleSettings, namedHere, withStandIns } from './role-settings.ts';
import { letSimulatedClustersLeave } from './simulated-clusters-leave.ts';
import { type StandIns, startStandIns } from './stand-ins/start-stand-ins.ts';
import { createWebServer, mountFront } from './web-server.ts';

interface AllInOneDependencies {
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Every acquisition registers its cleanup here; the caller stops it. */
  readonly lifecycle: Lifecycle;
  readonly log: NodeJS.WritableStream;
  /** One line per step that takes time, for a person who waits. */
  readonly progress: (line: string) => void;
  readonly version: string;
  /** Somebody has said that the installation that this is a copy of will not start again. */
  readonly originalIsGone?: boolean;
}

export interface AllInOne {
  readonly folder: DataFolder;
  readonly ingress: RunningIngress;
  /** Good for this process, on this machine only. */
  readonly ownToken: string;
  readonly bus: Bus;
  readonly databaseUrl: string;
  /** Resolves when the embedded server is gone, whether it was stopped or died; never for a server of your own. */
  readonly databaseGone: Promise<void>;
  readonly operationsUrl: string;
  readonly standIns: StandIns;
  /** Who is told beside the platform: its name, and where it is as far as anybody may see it. */
  readonly receivers: readonly { readonly name: string; readonly address: string }[];
  readonly services: readonly RunningService[];
  readiness(): Promise<Readiness>;
  /** Resolves to true once nothing is in flight anywhere, to false when that takes longer than `msMax`. */
  waitUntilIdle(msMax: number): Promise<boolean>;
}

/** Three partitions let three members share a topic; the hosted topics have between 1 and 64. */
const partitions = 3;

const topics: readonly TopicSpec[] = [
  ...[TOPIC_UPLOAD_ANNOUNCE, TOPIC_OCP_RESULTS, TOPIC_NOTIFICATIONS, TOPIC_PAYLOAD_STATUS].map((name) => ({
    name,
    partitions,
  })),
  ...DEAD_LETTER_TOPICS.map((name) => ({ name, partitions: 1 })),
];

export async function startAllInOne(settings: AllInOneSettings, dependencies: AllInOneDependencies): Promise<AllInOne> {
  const { clock, env, lifecycle, progress } = dependencies;
  // First: a wrong setting is said before anything was started for nothing.
  const roles = loadRoleSettings(settings, env, dependencies.version);
  const s3 = bucketSettings(settings);
  for (const warning of roles.warnings) progress(`warning: ${warning}`);
  const registries: Registry[] = [];
  const telemetryOf = (service: string): Telemetry => {
    const telemetry = createTelemetry({ service, level: settings.logLevel, destination: dependencies.log as never });
    registries.push(telemetry.registry);
    return telemetry;
  };
  const folder = dataFolderAt(settings.dataFolder);

  const { originalIsGone = false } = dependencies;
  const remember = await rememberInstallation({ root: folder.root, originalIsGone, clock, progress });
  const { location, databaseGone } = await openPostgres(folder, settings, dependencies);
  await remember();
  // Topics get connections of their own, so that a busy service cannot keep another from its bus.
  const database = connectDatabase({ ...location, applicationName: 'ccx all-in-one' });
  lifecycle.defer('database', () => database.close());
  const busDatabase = connectDatabase({ ...location, applicationName: 'ccx all-in-one topics' });
  lifecycle.defer('database of the topics', () => busDatabase.close());
  await ensureNotificationSchema(database);
  // Its tool would make it at its first use; until then ccx db status would say that something is missing.
  await migrateCcx(database, 'dead-letters');

  const busTelemetry = telemetryOf('bus');
  const bus = await openBus(roles.bus, { clock, telemetry: busTelemetry, database: busDatabase });
  lifecycle.defer('bus', () => bus.close());
  await bus.admin.ensureTopics(topics);

  /** Each role has its row in `ccx.roles`, as if it ran alone. */
  const recordOf = ({ name: role }: { readonly name: string }, service: RunningService) => {
    const settingsInForce = roles.described.get(role) ?? [];
    const { version } = dependencies;
    const what = { role, version, settings: settingsInForce, warnings: [], service };
    return keepRoleRecord({ ...what, database, clock, log: busTelemetry.log });
  };
  const runs = (table: { readonly name: string }, service: RunningService) => {
    lifecycle.defer(`row of ${service.name}`, recordOf(table, service));
    lifecycle.defer(service.name, () => service.stop());
  };

  const { objects, bucket } = await openArchives(
    { retention: settings.retention, s3 },
    { folder, clock, bus, lifecycle, progress },
  );

  const standIns = await startStandIns({
    ...{ bus, clock, folder: folder.receivers, wanted: roles.standIns },
    onFileTrouble: (text) => progress(`warning: ${text}`),
  });
  lifecycle.defer('stand-ins', () => standIns.stop());

  const tracker = await namedHere(payloadTrackerRole.options, () =>
    // Nobody but this process asks it.
    startPayloadTracker(
      { ...roles.tracker, tls: { certFile: '', keyFile: '' } },
      { bus, database, telemetry: telemetryOf('tracker'), clock },
    ),
  );
  runs(payloadTrackerRole.options, tracker);
  const loaded = withStandIns(roles.notifier, standInsAsReceivers(standIns));
  const shared = { bus, database, clock, telemetry: telemetryOf('notifier') };
  const receivers: AllInOne['receivers'][number][] = [];
  const notifier = await namedHere(notificationServiceRole.options, async () => {
    const parts = await notificationServiceRole.openDependencies({
      ...{ ...shared, loaded, env, lifecycle },
      standIns: roles.standInTargets,
    });
    receivers.push(...parts.receivers.map(({ target }) => target));
    const notifierSettings = notificationServiceRole.settings(loaded.config, 'follow');
    return await startNotificationService(notifierSettings, { ...shared, ...parts });
  });
  runs(notificationServiceRole.options, notifier);
  const writer = await namedHere(notificationWriterRole.options, () =>
    startNotificationWriter(roles.writer, { ...shared, telemetry: telemetryOf('writer') }),
  );
  runs(notificationWriterRole.options, writer);

  const limit = limitConnections(roles.ingress.connectionsMax);
  const web = createWebServer({
    ...{ host: settings.host, port: settings.port, connectionsMax: limit.taken, clock, tls: settings.tls },
    certificate: certificateEvents(busTelemetry.log),
  });
  const mounted = await namedHere(ingressRole.options, () =>
    mountIngress(
      web,
      { ...roles.ingress, trackerUrl: `${tracker.url}/v1/payloads/` },
      { bus, objects, telemetry: telemetryOf('ingress'), clock, database, limit },
    ),
  );
  lifecycle.defer('ingress', () => mounted.stop());
  const readDatabase = connectDatabase({
    ...{ ...location, clock, applicationName: 'ccx all-in-one reads' },
    connectionsMax: roles.results.reads.connections,
  });
  lifecycle.defer('database of the reads', () => readDatabase.close());
  const results = await namedHere(resultsRole.options, () =>
    mountResultsApi(web, roles.results, {
      ...{ database: readDatabase, telemetry: telemetryOf('results'), clock, limit },
      ...{ authenticator: mounted.module.authenticator, version: dependencies.version },
      archives: archiveConditions(objects),
    }),
  );
  runs(resultsRole.options, results);
  mountFront(web, { ready: mounted.ready });
  lifecycle.defer('web server', () => web.close());
  // Before the pipeline, which fetches only from hosts that it is given, and this one's port may be any free one.
  await web.listen();
  const ingress = await mounted.serve();
  lifecycle.defer('row of ingress', recordOf(ingressRole.options, ingress));
  for (const warning of ingress.warnings) progress(`warning: ${warning}`);
  const { download } = roles.dataPipeline;
  const allowedHosts = [...download.allowedHosts, new URL(ingress.insideUrl).host];
  const pipeline = await namedHere(dataPipelineRole.options, () =>
    startDataPipeline(
      { ...roles.dataPipeline, download: { ...download, allowedHosts } },
      // An archive that was announced before the last start carries the address, and often the port, of that time.
      {
        ...{ bus, telemetry: telemetryOf('data-pipeline'), clock },
        ...{ bucket, localLink: (link: string) => ingress.localLink(link) },
        openArchive: (link) => ingress.openArchive(link),
      },
    ),
  );
  runs(dataPipelineRole.options, pipeline);

  const services: readonly RunningService[] = [ingress, pipeline, writer, notifier, tracker, results];
  const readiness = () => readinessOf(services);
  const operations = createOperationsServer({
    host: settings.host,
    port: settings.operationsPort,
    tls: settings.tls,
    portSetting: '--operations-port',
    registry: joinRegistries(registries),
    readiness,
    log: busTelemetry.log,
    clock,
  });
  lifecycle.defer('operations server', () => operations.close());
  const operationsUrl = await operations.listen();
  lifecycle.defer('simulated clusters', await letSimulatedClustersLeave({ database, clock, print: progress }));
  progress('all services run');

  return {
    ...{
      folder,
      ingress,
      bus,
      databaseUrl: location.url,
      databaseGone,
      operationsUrl,
      standIns,
      receivers,
      services,
      readiness,
    },
    ownToken: roles.ingress.ownToken.token,
    waitUntilIdle: (msMax) => waitUntilIdle([standIns, ...services], clock, msMax),
  };
}

async function openPostgres(
  folder: DataFolder,
  settings: AllInOneSettings,
  { clock, lifecycle, progress }: AllInOneDependencies,
): Promise<Pick<AllInOne, 'databaseGone'> & { readonly location: DatabaseLocation }> {
  if (settings.database.url !== '') return { location: settings.database, databaseGone: new Promise(() => undefined) };
  progress('starting PostgreSQL');
  const server = await startEmbeddedPostgres({ dataDir: folder.postgres, clock, log: progress });
  lifecycle.defer('PostgreSQL', () => server.stop());
  const url = await createDatabaseIfMissing(server.url, EMBEDDED_DATABASE_NAME);
  return { location: { url }, databaseGone: server.gone };
}

async function readinessOf(services: readonly RunningService[]): Promise<Readiness> {
  const parts = await Promise.all(
    services.map(async (service) => {
      const { reasons: missing, notes: worthKnowing = [] } = await service.readiness();
      const named = (texts: readonly string[]) => texts.map((text) => `${service.name}: ${text}`);
      return { reasons: named(missing), notes: named(worthKnowing) };
    }),
  );
  const reasons = parts.flatMap((part) => part.reasons);
  const notes = parts.flatMap((part) => part.notes);
  return { ready: reasons.length === 0, reasons, ...(notes.length === 0 ? {} : { notes }) };
}

/** How often everybody is asked. Twice in a row everybody must be idle: work may be on its way from one that is to one that was asked before. */
const idlePollMs = 20;

async function waitUntilIdle(
  parts: readonly Pick<RunningService, 'idle'>[],
  clock: Clock,
  msMax: number,
): Promise<boolean> {
  const deadlineMs = clock.monotonicMs() + msMax;
  let rounds = 0;
  while (rounds < 2) {
    rounds = (await allIdle(parts)) ? rounds + 1 : 0;
    if (clock.monotonicMs() > deadlineMs) return false;
    if (rounds < 2) await clock.sleep(idlePollMs);
  }
  return true;
}

async function allIdle(parts: readonly Pick<RunningService, 'idle'>[]): Promise<boolean> {
  for (const part of parts) if (!(await part.idle())) return false;
  return true;
}

/** The stand-ins are the receivers where no real one is configured. */
function standInsAsReceivers({ serviceLog, tokens, clientId, clientSecret }: StandIns) {
  if (serviceLog === undefined || tokens === undefined) return {};
  return {
    'service_log.url': serviceLog.postUrl,
    'service_log.token_url': tokens.tokenUrl,
    'service_log.client_id': clientId,
    'service_log.client_secret': clientSecret,
  };
}
