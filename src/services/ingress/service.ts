/**
 * Composition root of ingress (hops 1 and 2): a web server of its own or a part of one that it is given, a metrics listener, the object
 * store and the bus that it is given. Started by `ccx ingress`, and by the all-in-one process on its one port.
 */
import type { FileHandle } from 'node:fs/promises';
import { STATUS_SERVICE_INGRESS } from '../../contracts/payload-status.ts';
import { gatewayWarnings, openGateway } from '../../platform/auth/gateway.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Database } from '../../platform/database/database.ts';
import { ConnectionMemory } from '../../platform/http/connection-memory.ts';
import { type ConnectionsLimit, limitConnections } from '../../platform/http/connections.ts';
import { createHttpServer, type HttpServer, reachable } from '../../platform/http/http-server.ts';
import { certificateEvents } from '../../platform/http/operations-server.ts';
import { probeReasons, publicReadiness } from '../../platform/lifecycle/health.ts';
import {
  buildWithLifecycle,
  type Lifecycle,
  type Readiness,
  type RunningService,
} from '../../platform/lifecycle/lifecycle.ts';
import { isReservedKey, type ObjectStore } from '../../platform/objects/object-store.ts';
import { ClusterOwners } from '../../platform/records/cluster-owners.ts';
import { StatusSender } from '../../platform/records/status-sender.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import { Announcer } from './announcer.ts';
import { GatheringMemory } from './archive-staging.ts';
import { BusSender, type SendingBus } from './bus-sender.ts';
import { ClusterGuard } from './cluster-guard.ts';
import { type IngressSettings, ingressOptions, ingressSettings } from './config.ts';
import { type ArchiveLinks, DownloadLinks, SigningKeys, StoreLinks } from './download-links.ts';
import { createIngressMetrics } from './metrics.ts';
import { Outbox } from './outbox.ts';
import { notFound, sendReply, text } from './reply.ts';
import { gatheredBodyBytesMax } from './request-body.ts';
import { createIngressBusEvents, createIngressEvents } from './telemetry.ts';
import { UploadSlots } from './upload-slots.ts';
import {
  createIngressModule,
  createIngressRoot,
  type IngressModuleOptions,
  malformedAnswer,
  WEB_PREFIXES,
} from './web/ingress-module.ts';

/** Of the server's connections. What is left is for those that have not said yet what they want, and for other modules. */
const uploadConnectionsShare = 0.75;
/** Nobody waits for a status, and a send for each costs more than all else that is done about them. */
const statusGatherMs = 50;
/** Archives that are fetched, and all other requests. */
const readConnectionsShare = 0.125;

export interface IngressDependencies {
  readonly bus: SendingBus;
  readonly objects: ObjectStore;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Keeps whose the clusters are, with a token file; absent: only what that file binds is enforced. */
  readonly database?: Database | undefined;
}

export interface RunningIngress extends RunningService {
  /** Web listener, e.g. `http://127.0.0.1:3000`. */
  readonly baseUrl: string;
  /** The same listener as this process itself reaches it: without TLS. */
  readonly insideUrl: string;
  /** Where clusters upload to. */
  readonly uploadUrl: string;
  /** Metrics listener; `/metrics` below it. */
  readonly metricsUrl: string;
  /** What should be said at every start of who is believed to be whom; logged already. */
  readonly warnings: readonly string[];
  /**
   * Where an announced archive is fetched from within this process: a link that an ingress on this object store has signed leads here, even
   * if it was signed for another address, or too long ago; any other stays as it is.
   */
  localLink(link: string): Promise<string>;
  /**
   * The archive behind such a link as an open file, which the caller closes. Undefined for any other link, for an archive that is not there
   * (any more), and where archives are no files of this machine: then the link has to be followed.
   */
  openArchive(link: string): Promise<FileHandle | undefined>;
}

/** Rejects with a `CcxError` when a port is taken, the gateway's settings are bad or the object store cannot be read. The bus may be away. */
export async function startIngress(
  settings: IngressSettings,
  dependencies: IngressDependencies,
): Promise<RunningIngress> {
  const { clock } = dependencies;
  return await buildWithLifecycle(clock, async (lifecycle) => {
    const limit = limitConnections(settings.connectionsMax);
    const server = createHttpServer({
      host: settings.host,
      port: settings.webPort,
      portSetting: settings.webPortSetting ?? 'INGRESS_WEBPORT',
      bodyBytesMax: gatheredBodyBytesMax,
      connectionsMax: limit.taken,
      clock,
      tls: settings.tls,
      certificate: certificateEvents(dependencies.telemetry.log),
      memory: new ConnectionMemory(),
      answerMalformed: (fault) => malformedAnswer(fault, clock),
    });
    const mounted = await build(server, settings, { ...dependencies, limit, lifecycle });
    server.mount(createIngressRoot(mounted.module));
    // Stopped first: uploads in work are finished, and announced, before anything that they need goes away.
    lifecycle.defer('web listener', () => server.close());
    await server.listen();
    return await mounted.serve();
  });
}

/** Puts ingress on a server, below its own paths only. Rejects as `startIngress` does. */
export function mountIngress(
  server: HttpServer,
  settings: IngressSettings,
  dependencies: IngressDependencies & { readonly limit: ConnectionsLimit },
): ReturnType<typeof build> {
  return buildWithLifecycle(dependencies.clock, (lifecycle) => build(server, settings, { ...dependencies, lifecycle }));
}

/** Ingress on a server that does not listen yet. */
async function build(
  server: HttpServer,
  settings: IngressSettings,
  dependencies: IngressDependencies & { readonly limit: ConnectionsLimit; readonly lifecycle: Lifecycle },
) {
  const { bus, objects, telemetry, clock, database, limit, lifecycle } = dependencies;
  const metrics = createIngressMetrics(telemetry.registry, settings);
  const busEvents = createIngressBusEvents({ telemetry, metrics });
  const statusSender = new BusSender(bus, { clock, events: busEvents });
  lifecycle.defer('status producer', () => statusSender.close());
  // Without a topic it sends nothing.
  const statuses = new StatusSender({
    sender: statusSender,
    topic: settings.statusTopic,
    service: STATUS_SERVICE_INGRESS,
    clock,
    gatherMs: statusGatherMs,
    dropped: metrics.statusesDropped,
  });
  lifecycle.defer('status messages', () => statuses.close());
  const events = createIngressEvents({ telemetry, clock, metrics, statuses });
  for (const { setting, why } of settings.ignored) events.settingIgnored(setting, why);
  if (limit.taken < limit.wanted) events.connectionsLimited(limit);

  const gateway = await openGateway(settings, {
    clock,
    events: {
      onLoaded: events.tokensLoaded,
      onFailed: events.tokensNotReloaded,
      accounts: { onAsked: events.accountAsked, onAway: events.accountsAway, onBack: events.accountsBack },
    },
  });
  lifecycle.defer('gateway', () => gateway.close());
  const { authenticator, tokens } = gateway;
  const warnings = identityWarnings({
    ...settings,
    tokens: tokens !== undefined,
    database: database !== undefined,
  });
  for (const warning of warnings) events.identityWarning(warning);
  const owners = database === undefined ? undefined : new ClusterOwners(database);
  const guard = tokens === undefined ? undefined : new ClusterGuard({ owners, tokens, clock, events });
  await guard?.open();

  const download = await openDownloadLinks(settings, {
    objects,
    clock,
    baseUrl: () => settings.baseUrl ?? reachable(server.baseUrl()),
  });
  const links: ArchiveLinks =
    download ??
    (await StoreLinks.open({ objects, lifetimeMs: settings.linksLifetimeMs, clock, onLife: events.linksLive }));
  const outbox = await Outbox.open({ ...settings, objects, clock });
  const announceSender = new BusSender(bus, { clock, events: busEvents });
  lifecycle.defer('announcement producer', () => announceSender.close());
  const announcer = new Announcer({
    topic: settings.announceTopic,
    sender: announceSender,
    outbox,
    links,
    bus,
    clock,
    events,
  });
  lifecycle.defer('outbox', () => announcer.stop());

  const slots = new UploadSlots({ slotsMax: settings.concurrentUploadsMax, clock });
  lifecycle.defer('upload slots', () => slots.stop());
  const readiness = () => assessReadiness(objects, { announcer, guard, gateway }, clock);

  const metricsListener = createMetricsListener(settings, { registry: telemetry.registry, clock });
  lifecycle.defer('metrics listener', () => metricsListener.close());
  const module: IngressModuleOptions = {
    ...{
      settings,
      objects,
      memory: new GatheringMemory(),
      clock,
      events,
      authenticator,
      guard,
      announcer,
      slots,
      download,
    },
    ready: publicReadiness({ readiness, log: telemetry.log, clock }),
    rooms: {
      uploads: server.room({
        connectionsMax: Math.floor(limit.taken * uploadConnectionsShare),
        makeRoom: () => slots.makeRoom(),
      }),
      reads: server.room({ connectionsMax: Math.floor(limit.taken * readConnectionsShare) }),
    },
  };
  server.mount(createIngressModule(module));
  metrics.gauges(slots, server, outbox, objects);
  const stop = async () => {
    const report = await lifecycle.stop();
    for (const { name, error } of report.failed) events.stopFailed(name, error);
  };

  return {
    module,
    /** What `GET /ready` answers. */
    ready: module.ready,
    /** Once the server listens: announcements that were kept are sent from now on, with links that lead here. */
    async serve(): Promise<RunningIngress> {
      const metricsUrl = reachable(await metricsListener.listen());
      const baseUrl = reachable(server.baseUrl());
      announcer.start();
      events.serving(baseUrl, metricsUrl);
      return {
        name: 'ingress',
        baseUrl,
        insideUrl: server.insideUrl(),
        uploadUrl: `${baseUrl}${WEB_PREFIXES[0]}/upload`,
        metricsUrl,
        warnings,
        localLink: async (link) => (await download?.renew(link, server.insideUrl())) ?? link,
        async openArchive(link) {
          const requestId = objects.openFile === undefined ? undefined : await download?.idOf(link, baseUrl);
          return requestId === undefined || isReservedKey(requestId) ? undefined : await objects.openFile?.(requestId);
        },
        async readiness(): Promise<Readiness> {
          const { ready, reasons } = await readiness();
          return { ready, reasons };
        },
        state: async () => ({
          uploads: { admitted: slots.admitted, waiting: slots.waiting },
          outbox: { entries: outbox.entries, bytes: outbox.bytes },
        }),
        idle: async () => slots.admitted === 0 && announcer.idle() && statuses.idle(),
        stop,
      };
    },
    /** After the server has closed, so that uploads in work are finished, and announced, before anything that they need goes away. */
    stop,
  };
}

/** Undefined where the object store serves its objects itself. */
async function openDownloadLinks(
  settings: IngressSettings,
  { objects, clock, baseUrl }: { readonly objects: ObjectStore; readonly clock: Clock; readonly baseUrl: () => string },
): Promise<DownloadLinks | undefined> {
  if (objects.signLink !== undefined) return undefined;
  const keys = settings.linksSigned
    ? await SigningKeys.open({ objects, clock, configuredKey: settings.linksKey })
    : undefined;
  return new DownloadLinks({ baseUrl, keys, lifetimeMs: settings.linksLifetimeMs, clock });
}

/** An absent bus is a note and no reason: uploads are still taken as long as the outbox has room. */
async function assessReadiness(
  objects: ObjectStore,
  parts: {
    readonly announcer: Announcer;
    readonly guard: ClusterGuard | undefined;
    readonly gateway: { trouble(): string | undefined };
  },
  clock: Clock,
): Promise<Readiness> {
  const reasons = await probeReasons({ 'object store': () => objects.check() }, clock);
  const { announcer, guard, gateway } = parts;
  const trouble = announcer.trouble();
  if (announcer.isFull()) reasons.push(`the outbox is full: ${trouble ?? ''}`);
  return {
    ready: reasons.length === 0,
    reasons,
    notes: [trouble, guard?.trouble(), gateway.trouble()].filter((note) => note !== undefined),
  };
}

/** What a process that runs this service among others needs of it besides `startIngress`. */
export const ingressRole = { options: ingressOptions, settings: ingressSettings } as const;

/** What an administrator should know at every start of who is believed to be whom. */
export function identityWarnings(
  facts: Pick<IngressSettings, 'host' | 'trustIdentityHeader'> & {
    readonly tokens: boolean;
    readonly database: boolean;
  },
): string[] {
  const ofGateway = gatewayWarnings(facts);
  if (!facts.tokens || facts.database) return [...ofGateway];
  return [
    ...ofGateway,
    'there is no database: whose a cluster is counts only where a token is bound to it; set database.url for the others',
  ];
}

/** The second listener: `lubdub` for probes, Prometheus text for whoever scrapes. Source: ingress.md A.1. */
function createMetricsListener(
  { host, metricsPort, tls }: IngressSettings,
  { registry, clock }: { readonly registry: Telemetry['registry']; readonly clock: Clock },
): HttpServer {
  // The web listener says what becomes of the certificate.
  const server = createHttpServer({
    ...{ host, tls, clock },
    port: metricsPort,
    bodyBytesMax: gatheredBodyBytesMax,
    portSetting: 'INGRESS_METRICSPORT',
  });
  server.app.get('/', (_request, response) => sendReply(response, text(200, 'lubdub')));
  server.app.all('/metrics', async (_request, response) => {
    const body = await registry.metrics();
    return response.header('content-type', registry.contentType).send(body);
  });
  server.app.setNotFoundHandler((_request, response) => sendReply(response, notFound()));
  return server;
}
