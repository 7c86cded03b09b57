/**
 * Composition root of the results API: what clusters, hubs and people read of what was found. A web server of its own or a part of one that
 * it is given; a database pool of its own, which whoever opened it closes. Started by `ccx results`, and by the all-in-one process on its
 * one port.
 */
import { readFile } from 'node:fs/promises';
import type { ReadArchiveConditions } from '../../contracts/cluster-conditions.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Authenticator } from '../../platform/auth/authenticator.ts';
import { gatewayWarnings, openGateway } from '../../platform/auth/gateway.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { keepLastGood } from '../../platform/clock/keep-last-good.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import type { Database } from '../../platform/database/database.ts';
import { ConnectionMemory } from '../../platform/http/connection-memory.ts';
import { type ConnectionsLimit, limitConnections } from '../../platform/http/connections.ts';
import { createHttpServer, type HttpServer, reachable } from '../../platform/http/http-server.ts';
import { certificateEvents } from '../../platform/http/operations-server.ts';
import { createServerContent } from '../../platform/http/server-content.ts';
import { probeReasons } from '../../platform/lifecycle/health.ts';
import { buildWithLifecycle, type Lifecycle, type RunningService } from '../../platform/lifecycle/lifecycle.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import { CATALOG_CONTENT_ROOT, RULE_GROUPS_FILE } from '../../rules/catalog/content-root.ts';
import { createFolderContent } from '../../rules/content/folder-content.ts';
import { parseGroups } from '../../rules/content/rule-groups.ts';
import { openPackTexts, withPackTexts } from '../../rules/packs/pack-texts.ts';
import { anyMark } from './answers/acknowledged.ts';
import { type ResultsSettings, resultsOptions, resultsSettings } from './config.ts';
import { missingRoles } from './decide/kept.ts';
import { gatheringTables } from './gathering/gathering-routes.ts';
import { openGatheringRules } from './gathering/gathering-rules.ts';
import { openConditionSource } from './risks/condition-source.ts';
import { KeptRecords } from './store/kept.ts';
import { KeptCounts } from './store/kept-counts.ts';
import { reading } from './store/reading.ts';
import { createResultsEvents, type ResultsEvents } from './telemetry.ts';
import { aboutRoutes } from './web/about-routes.ts';
import { ackRoutes, toggleRoutes } from './web/ack-routes.ts';
import { listRoutes } from './web/list-routes.ts';
import type { RouteTable } from './web/openapi.ts';
import { reportRoutes } from './web/report-routes.ts';
import { createResultsModule } from './web/results-module.ts';
import { riskRoutes } from './web/risk-routes.ts';
import type { Sources } from './web/sources.ts';

/** Of a server of its own. */
const connectionsWanted = 1_024;
/** Of a server's connections: answers take milliseconds. What is left is for those that have not said yet what they want. */
const connectionsShare = 1 / 16;
const ownConnectionsShare = 7 / 8;
/** Bodies that a module does not bound itself: there are none. */
const bodyBytesMax = 1_024;
/** Of an answer, beside its statements. */
const answerSlackMs = 5_000;

/** Where the hosted service has its routes, and where the second version stands besides. */
const prefixes = {
  v1: '/api/insights-results-aggregator/v1',
  v2: '/api/insights-results-aggregator/v2',
  short: '/api/v2',
} as const;

interface ResultsDependencies {
  /** A pool of its own: what reads wait for must not keep anybody from writing. */
  readonly database: Database;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly version: string;
  /** Where archives can be reached. */
  readonly archives?: ReadArchiveConditions;
}

interface MountedResults extends ResultsDependencies {
  readonly limit: ConnectionsLimit;
  /** Of the gateway that everybody on the server goes by. */
  readonly authenticator: Pick<Authenticator, 'authenticateReader'>;
}

interface BuildOptions extends MountedResults {
  readonly events: ResultsEvents;
  /** Of the server's connections, how many may be answered at once. */
  readonly share: number;
}

interface RunningResults extends RunningService {
  /** E.g. `http://127.0.0.1:8086`. */
  readonly url: string;
}

/** Rejects with a `CcxError` when a port is taken, the token file or the gathering rules are bad, or the tables cannot be brought up. */
export function startResultsApi(settings: ResultsSettings, dependencies: ResultsDependencies): Promise<RunningResults> {
  const { clock, telemetry } = dependencies;
  return buildWithLifecycle(clock, async (lifecycle) => {
    const limit = limitConnections(connectionsWanted);
    const server = createHttpServer({
      host: settings.http.host,
      port: settings.http.port,
      portSetting: 'http.port (--port)',
      bodyBytesMax,
      connectionsMax: limit.taken,
      clock,
      tls: settings.tls,
      certificate: certificateEvents(telemetry.log),
      memory: new ConnectionMemory(),
    });
    const events = createResultsEvents(telemetry);
    const { accountAsked: onAsked, accountsAway: onAway, accountsBack: onBack } = events;
    const gateway = await openGateway(settings, {
      clock,
      events: {
        onLoaded: events.tokensLoaded,
        onFailed: events.tokensNotReloaded,
        accounts: { onAsked, onAway, onBack },
      },
    });
    lifecycle.defer('gateway', () => gateway.close());
    const { authenticator, tokens } = gateway;
    const { host } = settings.http;
    for (const warning of gatewayWarnings({ ...settings, host, tokens: tokens !== undefined })) events.warned(warning);
    const share = ownConnectionsShare;
    const service = await build(server, settings, { ...dependencies, limit, authenticator, events, share }, lifecycle);
    lifecycle.defer('web server', () => server.close());
    const url = reachable(await server.listen());
    events.started(url);
    return { ...service, url };
  });
}

/** Puts the results API on a server, below its own paths only; the settings of its port and its gateway do not count. */
export function mountResultsApi(
  server: HttpServer,
  settings: ResultsSettings,
  dependencies: MountedResults,
): Promise<RunningService> {
  const { clock, telemetry } = dependencies;
  const options = { ...dependencies, events: createResultsEvents(telemetry), share: connectionsShare };
  return buildWithLifecycle(clock, (lifecycle) => build(server, settings, options, lifecycle));
}

/** What a process that runs this service among others needs of it besides `mountResultsApi`. */
export const resultsRole = { options: resultsOptions, settings: resultsSettings } as const;

async function build(
  server: HttpServer,
  settings: ResultsSettings,
  { database, clock, version, limit, authenticator, events, share, archives }: BuildOptions,
  lifecycle: Lifecycle,
): Promise<RunningService> {
  await bringUpTables(database, events.warned);
  const kept = new KeptRecords({ clock, onChange: (now) => events.rolesMissing(missingRoles(now)) });
  const packs = await openPackTexts({
    folders: settings.rules.packs,
    clock,
    onBroken: events.packsBroken,
  });
  const content = withPackTexts(
    keepLastGood({
      clock,
      refreshMs: settings.content.refreshMs,
      load: contentOf(settings.content).load,
      onFailure: events.contentFailed,
    }),
    packs,
  );
  const statementMs = settings.reads.statementTimeoutMs;
  const sources: Sources = {
    database,
    groups: parseGroups(await readFile(RULE_GROUPS_FILE, 'utf8')),
    content: () => content.get(),
    read: (work) => reading(database, statementMs, async (tx) => work(tx, await kept.read(tx))),
  };
  // The database may be away: then whoever asks first is told.
  await sources.read(async () => undefined).catch(() => undefined);
  const about = aboutRoutes(() => tables, version);
  const { metricsUrl: url, metricsCaFile: caFile, metricsTokenFile: tokenFile, clusterLabel } = settings.risks;
  const risks = riskRoutes(sources, openConditionSource({ url, caFile, tokenFile, clusterLabel }, { clock, archives }));
  const v2 = [...reportRoutes(sources), ...listRoutes(sources), ...ackRoutes(sources), ...risks, ...about];
  const tables: readonly RouteTable[] = [
    { prefix: prefixes.v2, routes: v2 },
    { prefix: prefixes.short, routes: v2 },
    ...gatheringTables(await openGatheringRules(settings.gathering.path)),
    { prefix: prefixes.v1, routes: toggleRoutes(sources, new KeptCounts({ clock, whole: anyMark })) },
  ];
  server.mount(
    createResultsModule({
      ...{ tables, clock, events, authenticator },
      room: server.room({ connectionsMax: Math.max(1, Math.floor(limit.taken * share)) }),
      host: settings.http.host,
      allowedHosts: settings.http.allowedHosts,
      answerMsMax: statementMs + answerSlackMs,
    }),
  );
  return {
    name: 'results-api',
    async readiness() {
      const reasons = await probeReasons(
        {
          database: () => database.check(),
          content: async () => {
            await content.get();
          },
        },
        clock,
      );
      return { ready: reasons.length === 0, reasons };
    },
    state: async () => ({ missing: missingRoles(await kept.read(database)) }),
    idle: async () => events.inFlight() === 0,
    stop: async () => {
      await lifecycle.stop();
    },
  };
}

/** Where an administrator makes the tables, they are there, or what they would say is not known here. */
async function bringUpTables(database: Database, warn: (warning: string) => void): Promise<void> {
  try {
    const { warning } = await migrateCcx(database, 'records');
    if (warning !== undefined) warn(warning);
  } catch (error) {
    if (!(error instanceof CcxError) || error.code !== 'DATABASE_PERMISSION') throw error;
    warn(`our own tables are not brought up: ${error.message}`);
  }
}

function contentOf({ path, server, endpoint }: ResultsSettings['content']) {
  if (server !== '') return createServerContent({ server, endpoint, settings: ['content.server', 'content.endpoint'] });
  return createFolderContent({ folder: path || CATALOG_CONTENT_ROOT, setting: 'content.path' });
}
