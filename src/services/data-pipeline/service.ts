/**
 * Composition root of the data pipeline (hops 3 to 6): announcements in, reports out. Started by `ccx data-pipeline` and by the
 * all-in-one process; both own the bus and close it after this service has stopped.
 */
import { fstatSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { Bus } from '../../platform/bus/bus.ts';
import { watchLag } from '../../platform/bus/intake/consumer-lag.ts';
import { Intake } from '../../platform/bus/intake/stream-intake.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { RunningService } from '../../platform/lifecycle/lifecycle.ts';
import { buildWithLifecycle, type Lifecycle } from '../../platform/lifecycle/lifecycle.ts';
import { StatusSender } from '../../platform/records/status-sender.ts';
import { RunnerPool } from '../../platform/runner-pool/runner-pool.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import { fetchFromBucket, type OwnBucket } from './bucket-archive-source.ts';
import { ByteBudget } from './byte-budget.ts';
import { ClusterQueues } from './cluster-queues.ts';
import { type DataPipelineSettings, dataPipelineOptions, dataPipelineSettings, ruleSettings } from './config.ts';
import { runnerFailureLimits } from './decide/answer-runner-failure.ts';
import { HostBreaker } from './host-breaker.ts';
import { type DownloadRequest, download as downloadArchive } from './http-archive-source.ts';
import { createPipelineMetrics } from './metrics.ts';
import { OrganizationUsage } from './organization-usage.ts';
import { watchPacks } from './pack-watch.ts';
import { processRecord } from './pipeline.ts';
import { Places } from './places.ts';
import { RuleQuarantine } from './rule-quarantine.ts';
import type { RuleRun, RuleRunResult } from './runner/rule-run.ts';
import { createPipelineEvents } from './telemetry.ts';
import { WaitingRoom } from './waiting-room.ts';

/** Bytes of their records; genuine announcements have 1 to 2 KB. */
const readAheadBytesMax = 32 * 1024 ** 2;
const leastRate = {
  /** A body has so long until a rate is asked for: one that trickles would hold a place for as long as a download may take. */
  slowMsMax: 10 * 1_000,
  /** Then so much on average: at less, the largest archive that the operator sends, 10 MiB, does not come within the time of one download. */
  bytesPerSecondMin: 32 * 1024,
};

/** Share of the places that one organization may hold: the rest is there for others at once, however slow its archives are. */
const placesPerOrganizationShare = 0.75;
/** Share of the places that further attempts of downloads may hold: hosts that do not answer take 10 s each time. */
const furtherAttemptsShare = 0.5;
/** Share of the packed bytes that the archives of one organization may reserve, beside at least one archive. */
const bytesPerOrganizationShare = 0.5;
/**
 * Announcements read ahead of the places, some 20 MB: what one organization may have sent before another's announcement without delaying
 * it. What is behind more than that of the same partition is seen when those before it are done.
 */
const readAheadRecordsMax = 10_000;
/** Statuses of so long go out together: each send is a transaction, or a request, of its own. */
const statusGatherMs = 50;
/** Share of an archive's time that all rules of packs together may take. */
const packsTimeShare = 0.25;
/** Bounds what a leak in a rule can cost; a new child takes 0.2 to 0.6 s of processor time, next to another that works on. */
const jobsPerRunnerMax = 5_000;

interface DataPipelineDependencies {
  readonly bus: Bus;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** The module that runs in the runners; tests pass one with rules that misbehave. */
  readonly runnerModule?: URL;
  /** How the log names the bus: the brokers' addresses. */
  readonly brokers?: string;
  /** Where our own ingress keeps archives, if that is a bucket that we may read: the caller's to close. */
  readonly bucket?: OwnBucket | undefined;
  /** Where an announced link is to be followed to, for a process that has the ingress in it; as announced by default. */
  readonly localLink?: (link: string) => Promise<string>;
  /**
   * The archive behind an announced link as an open file, for a process that has the store of the archives in it; undefined for a link that is
   * to be followed.
   */
  readonly openArchive?: (link: string) => Promise<FileHandle | undefined>;
}

const ruleRunnerModule = new URL('./runner/rule-runner.ts', import.meta.url);

/** Rejects with a `CcxError` when the bus cannot be used at the start, leaving nothing behind; later it waits for the bus. */
export function startDataPipeline(
  settings: DataPipelineSettings,
  dependencies: DataPipelineDependencies,
): Promise<RunningService> {
  return buildWithLifecycle(dependencies.clock, (lifecycle) => build(settings, dependencies, lifecycle));
}

async function build(
  settings: DataPipelineSettings,
  { bus, telemetry, clock, runnerModule, brokers, bucket, localLink, openArchive }: DataPipelineDependencies,
  lifecycle: Lifecycle,
): Promise<RunningService> {
  const producer = await bus.createProducer();
  lifecycle.defer('producer', () => producer.close());

  const metrics = createPipelineMetrics(telemetry.registry, {
    in_flight: () => places.inUse(),
    places_waiting: () => places.waiting(),
    read_ahead: () => intake.taken(),
    waiting: () => room.waiting(),
    hosts_away: () => hosts.open().length,
    in_flight_bytes: () => budget.used(),
    rules_quarantined: () => quarantine.general().length,
    pack_rules: () => packs.set().source.rules.length,
    packs_stale: () => Number(packs.isStale()),
  });
  const statuses = new StatusSender({
    sender: producer,
    topic: settings.statusesTopic,
    service: settings.serviceName,
    clock,
    gatherMs: statusGatherMs,
    dropped: metrics.statusesDropped,
  });
  lifecycle.defer('statuses', () => statuses.close());

  const budget = new ByteBudget(
    settings.inFlightBytesMax,
    Math.floor(settings.inFlightBytesMax * bytesPerOrganizationShare),
  );
  const quarantine = new RuleQuarantine({ clock, quarantineMs: settings.rules.quarantineMs });
  const events = createPipelineEvents({ telemetry, clock, metrics, statuses });

  const packs = await watchPacks({ folders: settings.rules.packs, clock, events });
  lifecycle.defer('rule packs', () => packs.stop());

  const usage = new OrganizationUsage({ clock, onOverShare: events.organizationOverShare });
  const placesMax = settings.inFlightArchivesMax;
  const places = new Places({
    placesMax,
    perOrganizationMax: Math.ceil(placesMax * placesPerOrganizationShare),
    furtherAttemptsMax: Math.ceil(placesMax * furtherAttemptsShare),
    onPassedOver: (orgId) => usage.passedOver(orgId),
  });
  const room = new WaitingRoom(clock, placesMax);
  const hosts = new HostBreaker({ clock, onOpened: events.hostLeftAlone, onClosed: events.hostBack });
  lifecycle.defer('hosts', async () => hosts.stop());

  const runners = new RunnerPool<RuleRun, RuleRunResult>({
    module: runnerModule ?? ruleRunnerModule,
    name: 'rules',
    size: settings.rules.runners,
    clock,
    telemetry,
    jobMsMax: settings.rules.archiveMsMax,
    stepMsMax: settings.rules.ruleMsMax,
    childBytesMax: settings.rules.runnerBytesMax,
    jobsPerChildMax: jobsPerRunnerMax,
    queuedJobsMax: settings.inFlightArchivesMax,
    readsOpenFiles: openArchive !== undefined,
  });
  lifecycle.defer('rule runners', () => runners.close());

  const { download, incoming } = settings;
  const downloadOptions = { clock, ...download, ...leastRate };
  const dependencies = {
    clock,
    events,
    places,
    hosts,
    queues: new ClusterQueues(),
    room,
    check: { platformService: incoming.platformService, recordAgeMsMax: incoming.recordAgeMsMax },
    fetch: {
      openFile: async (link: string) => archiveFile(await openArchive?.(link), runners),
      download: (request: DownloadRequest) => downloadArchive(request, downloadOptions),
      bucket: bucket && {
        name: bucket.name,
        fetch: (request: Parameters<typeof fetchFromBucket>[0]) => fetchFromBucket(request, bucket, downloadOptions),
      },
      budget,
      linkPolicy: download,
      localLink: localLink ?? (async (link: string) => link),
      archiveBytesMax: settings.archiveLimits.packedBytesMax,
      retryMsMax: download.retryMsMax,
    },
    rules: {
      runners,
      quarantine,
      archiveLimits: settings.archiveLimits,
      selection: { provisional: settings.rules.provisional, tutorial: settings.rules.tutorial },
      packs: () => packs.set().source,
      packsMsMax: settings.rules.archiveMsMax * packsTimeShare,
      settings: ruleSettings(settings),
      failureLimits: runnerFailureLimits,
      onCpu: (orgId: number, cpuMs: number) => usage.add(orgId, cpuMs),
      onRuleQuarantined: events.ruleQuarantined,
    },
    publish: { sender: producer, topic: settings.resultsTopic },
    deadLetters: { sender: producer, topic: settings.deadLettersTopic, serviceName: settings.serviceName },
  };

  const intake = new Intake({
    bus,
    topic: incoming.topic,
    groupId: incoming.groupId,
    startAt: incoming.startAt,
    readAheadRecordsMax,
    readAheadBytesMax,
    clock,
    events,
    process: (record, control) => processRecord(record, dependencies, control),
  });
  await intake.open();
  lifecycle.defer('intake', () => intake.stop());
  const { topic, groupId, startAt } = incoming;
  const lag = watchLag({ bus, consumer: intake, topic, groupId, startAt, clock, registry: telemetry.registry });
  lifecycle.defer('lag', () => lag.stop());
  events.consumingStarted(incoming.topic, brokers ?? bus.kind);
  intake.start();

  return {
    name: 'data-pipeline',
    async readiness() {
      const reasons: string[] = [];
      const trouble = intake.trouble();
      if (trouble !== undefined) reasons.push(trouble);
      const waiting = room.trouble(hosts.open());
      if (waiting !== undefined) reasons.push(waiting);
      if (places.waiting() >= placesMax) reasons.push(`all ${placesMax} places wait for the bus or a rule runner`);
      const { idle, busy, startFailures } = runners.state();
      if (idle + busy === 0) {
        reasons.push(startFailures > 0 ? 'no rule runner can be started' : 'no rule runner has started yet');
      }
      const notes = packs.notes();
      return { ready: reasons.length === 0, reasons, ...(notes.length === 0 ? {} : { notes }) };
    },
    state: async () => ({
      lag: lag.lags(),
      quarantine: quarantine.listed(),
      packs: packs.set().packs.map(({ name, version, rules }) => ({ name, version, rules: rules.length })),
      hostsAway: hosts.open(),
      ...{ inFlight: places.inUse(), readAhead: intake.taken(), waiting: room.waiting(), runners: runners.state() },
    }),
    // While the bus cannot be asked, nobody knows whether there is more to do.
    idle: async () => (await intake.idle().catch(() => false)) && statuses.idle(),
    async stop() {
      const report = await lifecycle.stop();
      for (const failure of report.failed) events.stopFailed(failure.name, failure.error);
    },
  };
}

/** Undefined where the runners cannot read it. */
function archiveFile(handle: FileHandle | undefined, runners: Pick<RunnerPool<never, never>, 'pathOf'>) {
  if (handle === undefined) return undefined;
  const path = runners.pathOf(handle.fd);
  if (path !== undefined) return { path, bytes: fstatSync(handle.fd).size, close: () => handle.close() };
  void handle.close();
  return undefined;
}

/** What a process that runs this service among others needs of it besides `startDataPipeline`. */
export const dataPipelineRole = { options: dataPipelineOptions, settings: dataPipelineSettings } as const;
