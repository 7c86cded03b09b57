/** Composition root of the content service: reads a content folder once and serves it, and renders texts. Started by `ccx content`. */
import { readFile } from 'node:fs/promises';
import { Counter, Histogram, linearBuckets } from 'prom-client';
import { PACK_MODULE_PREFIX, type RuleContentDirectory } from '../../contracts/rule-content.ts';
import { encodeRuleContent } from '../../contracts/rule-content-gob.ts';
import { CcxError, errorFields } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { createHttpServer } from '../../platform/http/http-server.ts';
import { certificateEvents } from '../../platform/http/operations-server.ts';
import { createServerContent } from '../../platform/http/server-content.ts';
import { publicReadiness } from '../../platform/lifecycle/health.ts';
import { buildWithLifecycle, type Lifecycle, type RunningService } from '../../platform/lifecycle/lifecycle.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import { type ContentFault, faultText } from '../../rules/content/content-faults.ts';
import { createJoinedContent } from '../../rules/content/join-content.ts';
import { loadContent, type RuleStatus } from '../../rules/content/load-content.ts';
import { parseGroups } from '../../rules/content/rule-groups.ts';
import { openPackTexts } from '../../rules/packs/pack-texts.ts';
import type { ContentServiceSettings } from './config.ts';
import { createRendering, type RenderingEvents } from './rendering.ts';
import { addContentRoutes } from './routes.ts';

/** But for what is to be rendered it takes no bodies; this leaves room for a client that sends a few bytes by mistake. */
const requestBodyBytesMax = 1024;
/** How often rule packs are looked at. */
const packLookMs = 3_000;

interface RunningContentService extends RunningService {
  /** Where it listens, e.g. `http://127.0.0.1:8080`, without the API prefix. */
  readonly url: string;
}

/** Rejects with a `CcxError` when a file cannot be read or the address cannot be listened on. */
export function startContentService(
  settings: ContentServiceSettings,
  dependencies: { readonly telemetry: Telemetry; readonly clock: Clock },
): Promise<RunningContentService> {
  return buildWithLifecycle(dependencies.clock, (lifecycle) => build(settings, dependencies, lifecycle));
}

async function build(
  settings: ContentServiceSettings,
  { telemetry, clock }: Parameters<typeof startContentService>[1],
  lifecycle: Lifecycle,
): Promise<RunningContentService> {
  const events = createContentServiceEvents(telemetry, settings.metricsNamespace);

  const { directory: own, status, faults } = await loadContent(settings.contentRoot);
  events.contentLoaded(settings.contentRoot, status, faults);
  const withoutPacks = await withHosted(own, settings.hosted);
  const { packs: folders } = settings;
  const packs = await openPackTexts({ folders, clock, onBroken: events.packsBroken });
  const directory = (await packs?.join(withoutPacks)) ?? withoutPacks;
  const groups = await readGiven(settings.groupsFile, parseGroups, {
    message: 'groups of rules cannot be read',
    code: 'GROUPS_UNREADABLE',
    hint: 'change groups.path, or leave it out for the usual groups',
  });
  const openApi = await readGiven(settings.specFile, String, {
    message: 'the OpenAPI document cannot be read',
    code: 'SPEC_FILE_UNREADABLE',
    hint: "change server.api_spec_file, or leave it out for the service's own",
  });

  const server = createHttpServer({
    host: settings.host,
    port: settings.port,
    bodyBytesMax: requestBodyBytesMax,
    portSetting: 'server.address',
    tls: settings.tls,
    certificate: certificateEvents(telemetry.log),
    clock,
  });
  lifecycle.defer('http server', () => server.close());

  let inFlight = 0;
  server.app.addHook('onRequest', async () => {
    inFlight += 1;
  });
  server.app.addHook('onResponse', async (request, reply) => {
    inFlight -= 1;
    const endpoint = request.routeOptions.url;
    if (endpoint === undefined) return;
    events.requestAnswered(endpoint, reply.statusCode, reply.elapsedTime);
  });

  const hasRules = Object.keys(directory.rules).length > 0;
  const readiness = async () => ({
    ready: hasRules,
    reasons: hasRules ? [] : [`content: change content.path: there is none below ${settings.contentRoot}`],
  });
  const answers = {
    ...{ groups, openApi, metrics: () => telemetry.registry.metrics() },
    ...contentAnswers(directory, status),
  };
  addContentRoutes(server.app, settings, answers);
  if (packs !== undefined) {
    let served = directory;
    const look = clock.every(packLookMs, async () => {
      const now = await packs.join(withoutPacks);
      if (now !== served) Object.assign(answers, contentAnswers(now, status));
      served = now;
    });
    lifecycle.defer('rule packs', look);
  }
  const rendering = createRendering({ clock, telemetry, events });
  lifecycle.defer('template renderer', () => rendering.close());
  rendering.addRoutes(server.app, await readFile(settings.rendererSpecFile, 'utf8'));
  const answerReadiness = publicReadiness({ readiness, log: telemetry.log, clock });
  server.app.get('/ready', async (_request, reply) => {
    const answer = await answerReadiness();
    return reply.code(answer.ready ? 200 : 503).send(answer);
  });

  return {
    name: 'content-service',
    url: await server.listen(),
    readiness,
    idle: async () => inFlight === 0 && rendering.idle(),
    stop: async () => {
      await lifecycle.stop();
    },
  };
}

/** What is prepared of a content; rules of packs, which have no folder of their own, are loaded or nothing is served. */
function contentAnswers(directory: RuleContentDirectory, status: Readonly<Record<string, RuleStatus>>) {
  const ofPacks = Object.entries(directory.rules).filter(([, { plugin }]) => isOfPack(plugin.python_module));
  const loaded: RuleStatus = { type: 'external', loaded: true, error: '' };
  return {
    contentGob: encodeRuleContent(directory),
    contentJson: JSON.stringify(directory),
    status: { ...status, ...Object.fromEntries(ofPacks.map(([name]) => [name, loaded])) },
  };
}

function isOfPack(module: string): boolean {
  return module.startsWith(`${PACK_MODULE_PREFIX}.`);
}

/** Rejects with `CONTENT_UNAVAILABLE` where there should be hosted content and is none: its rules would look as if nobody knew them. */
async function withHosted(
  own: RuleContentDirectory,
  { server, endpoint, first, exceptions }: ContentServiceSettings['hosted'],
): Promise<RuleContentDirectory> {
  if (server === '') return own;
  const hosted = createServerContent({ server, endpoint, settings: ['hosted.server', 'hosted.endpoint'] });
  const ours = { load: async () => own };
  const sides = first === 'own' ? { first: ours, second: hosted } : { first: hosted, second: ours };
  return createJoinedContent({ ...sides, exceptions }).load();
}

/** Rejects with what `failure` says for a file that is not there, or that cannot be understood. */
async function readGiven<T>(
  path: string,
  parse: (text: string) => T,
  { message, ...failure }: { readonly message: string; readonly code: string; readonly hint: string },
): Promise<T> {
  try {
    return parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new CcxError(`${message}: ${path}`, { ...failure, category: 'configuration', cause });
  }
}

/** What happens in the content service: its log lines and metrics, with the metric names of the hosted service. Source: data-pipeline.md 8.4. */
export function createContentServiceEvents(telemetry: Telemetry, metricsNamespace: string) {
  const prefix = metricsNamespace === '' ? '' : `${metricsNamespace}_`;
  const registers = [telemetry.registry];
  const requests = new Counter({
    name: `${prefix}api_endpoints_requests`,
    help: 'The total number of requests per endpoint',
    labelNames: ['endpoint'],
    registers,
  });
  const responseTime = new Histogram({
    name: `${prefix}api_endpoints_response_time`,
    help: 'API endpoints response time',
    labelNames: ['endpoint'],
    buckets: linearBuckets(0, 20, 20),
    registers,
  });
  const statusCodes = new Counter({
    name: `${prefix}api_endpoints_status_codes`,
    help: 'API endpoints status codes',
    labelNames: ['status_code'],
    registers,
  });

  const rendered = new Counter({
    name: 'ccx_content_rendered_items_total',
    help: 'Report items that were to be rendered, by what became of them',
    labelNames: ['outcome'],
    registers,
  });

  return {
    packsBroken(error: CcxError): void {
      telemetry.log.error({ ...errorFields(error), hint: error.hint }, 'a change of the rule packs is not in force');
    },
    contentLoaded(root: string, status: Readonly<Record<string, RuleStatus>>, faults: readonly ContentFault[]): void {
      const invalid = Object.values(status).filter(({ loaded }) => !loaded).length;
      const rules = Object.keys(status).length - invalid;
      telemetry.log.info({ root, rules, invalid }, 'rule content loaded');
      for (const { file, line, message, leavesOut } of faults) {
        const what = leavesOut ? 'rule content is left out' : 'rule content is not as it should be';
        telemetry.log.warn({ file, line, fault: message }, what);
      }
      telemetry.announce('content-loaded', { rules, invalid, faults: faults.map(faultText) });
    },
    itemRendered(...[outcome, { component, key }, detail]: Parameters<RenderingEvents['itemRendered']>): void {
      rendered.inc({ outcome });
      if (outcome === 'rendered' || outcome === 'rule-unknown') return;
      telemetry.log.warn({ component, key, why: outcome, detail }, 'a report item could not be rendered');
    },
    requestAnswered(endpoint: string, statusCode: number, elapsedMs: number): void {
      requests.inc({ endpoint });
      // Seconds, as Go's histogram counts them.
      responseTime.observe({ endpoint }, elapsedMs / 1000);
      statusCodes.inc({ status_code: String(statusCode) });
      telemetry.log.debug({ endpoint, statusCode, elapsedMs }, 'request answered');
    },
  };
}
