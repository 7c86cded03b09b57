/**
 * `POST /v1/rendered_reports`: content and report items → the texts that a person reads, as the hosted template renderer answers, but that an
 * item which cannot be rendered is left out alone, where there the whole request fails. Templates run in watched children; the same
 * template is stopped once in a request. Source: data-pipeline.md 8.6.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { RuleContent } from '../../contracts/rule-content.ts';
import { CcxError, errorCode } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { RunnerPool } from '../../platform/runner-pool/runner-pool.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import type { RenderAnswer, RenderJob } from './render-child.ts';

/** A request with the content of all hosted rules has some 5 MB. */
export const renderRequestBytesMax = 16 * 1024 * 1024;
/** One template over one item; the hosted renderer's limit. */
const renderMsMax = 5_000;
/** One rendering child; Node itself takes some 60 MB. */
const renderChildBytesMax = 256 * 1024 * 1024;
/** Rendering children; the hosted renderer has one. */
const renderChildren = 1;
/** A child is replaced after so many items, as the hosted renderer does. */
const rendersPerChildMax = 1_000;
/** Requests worked on at once; each holds its body in memory. */
export const renderRequestsMax = 8;
/** One request as a whole; callers wait for 10 s. */
const renderRequestMsMax = 25_000;
/** When whoever was refused may come again. */
const comeAgainSeconds = 5;

type Outcome =
  | 'rendered'
  | 'rule-unknown'
  | 'error-key-unknown'
  | 'description-missing'
  | 'template-failed'
  | 'template-stopped';

export interface RenderingEvents {
  itemRendered(outcome: Outcome, item: { readonly component: string; readonly key: string }, detail: string): void;
}

/** The children start with the first request. */
export function createRendering(options: {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly events: RenderingEvents;
  /** Time of one item; default 5 s. */
  readonly renderMsMax?: number;
}) {
  const { clock, telemetry, events } = options;
  let pool: RunnerPool<RenderJob, RenderAnswer> | undefined;
  let inFlight = 0;
  const startPool = () =>
    new RunnerPool<RenderJob, RenderAnswer>({
      module: new URL('./render-child.ts', import.meta.url),
      name: 'renderer',
      size: renderChildren,
      clock,
      telemetry,
      jobMsMax: options.renderMsMax ?? renderMsMax,
      childBytesMax: renderChildBytesMax,
      jobsPerChildMax: rendersPerChildMax,
    });

  async function render(request: RenderRequest): Promise<RenderedReports> {
    pool ??= startPool();
    const children = pool;
    const deadlineMs = clock.monotonicMs() + renderRequestMsMax;
    const stopped = new Set<string>();
    const reports: [string, RenderedReport[]][] = [];
    for (const [cluster, { reports: items }] of Object.entries(request.report_data.reports)) {
      const rendered: RenderedReport[] = [];
      for (const item of items) {
        if (clock.monotonicMs() > deadlineMs) throw new CcxError('the request takes too long', tooLate);
        const outcome = await renderItem(item, request.content, children, stopped);
        events.itemRendered(outcome.why, item, outcome.detail);
        if (outcome.report !== undefined) rendered.push(outcome.report);
      }
      // As there: a cluster without a rendered item is not in the answer.
      if (rendered.length > 0) reports.push([cluster, rendered]);
    }
    return { clusters: request.report_data.clusters, reports: Object.fromEntries(reports) };
  }

  return {
    /** Adds the paths of the renderer to a server. */
    addRoutes(app: FastifyInstance, openApi: string): void {
      for (const path of ['/v1/rendered_reports', '/rendered_reports']) {
        app.register(async (scope) => {
          scope.removeAllContentTypeParsers();
          scope.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
          scope.post(path, { bodyLimit: renderRequestBytesMax }, async (request, reply) => {
            const parsed = parseRequest(request.body);
            if ('detail' in parsed) return reply.code(422).send(parsed);
            const refuse = () =>
              reply.code(503).header('Retry-After', comeAgainSeconds).send({ detail: 'no room to render now' });
            if (inFlight >= renderRequestsMax) return refuse();
            inFlight += 1;
            try {
              return await render(parsed.request);
            } catch (error) {
              if (error instanceof CcxError && error.retryable) return refuse();
              throw error;
            } finally {
              inFlight -= 1;
            }
          });
          for (const method of ['GET', 'PUT', 'PATCH', 'DELETE'] as const) {
            scope.route({
              method,
              url: path,
              handler: async (_request, reply) => reply.code(405).header('Allow', 'POST').send(notAllowed),
            });
          }
        });
      }
      // Where the content service has no prefix, its own document is there.
      if (!app.hasRoute({ method: 'GET', url: '/openapi.json' })) {
        app.get('/openapi.json', (_request, reply) => reply.type('application/json; charset=utf-8').send(openApi));
      }
      app.get('/docs', (_request, reply) => reply.type('text/html; charset=utf-8').send(docsPage));
    },
    idle: () => inFlight === 0,
    close: async () => pool?.close(),
  };
}

const tooLate = { code: 'RENDERING_TIMEOUT', category: 'limit', retryable: true } as const;
const notAllowed = { detail: 'Method Not Allowed' };
const docsPage = `<!doctype html>
<html lang="en"><title>Template renderer</title>
<h1>Template renderer</h1>
<p><code>POST /v1/rendered_reports</code> fills rule texts with the details of reports; see <a href="openapi.json">openapi.json</a>.</p>
</html>
`;

interface RenderedReport {
  readonly rule_id: string;
  readonly error_key: string;
  readonly resolution: string;
  readonly reason: string;
  readonly description: string;
}

interface RenderedReports {
  readonly clusters: readonly string[];
  readonly reports: Readonly<Record<string, readonly RenderedReport[]>>;
}

interface ItemOutcome {
  readonly why: Outcome;
  readonly detail: string;
  readonly report?: RenderedReport;
}

/** Ends of a job that are the template's doing. Anything else from the pool means that the pool itself is of no use now. */
const stoppedCodes: ReadonlySet<string> = new Set(['RUNNER_TIMEOUT', 'RUNNER_MEMORY', 'RUNNER_CRASHED']);

async function renderItem(
  item: ReportItem,
  content: readonly RuleContent[],
  pool: RunnerPool<RenderJob, RenderAnswer>,
  stopped: Set<string>,
): Promise<ItemOutcome> {
  const { component, key } = item;
  const module = component.slice(0, Math.max(component.lastIndexOf('.'), 0));
  const at = content.findIndex(({ plugin }) => plugin.python_module === module);
  const rule = content[at];
  if (rule === undefined) return { why: 'rule-unknown', detail: module };
  const errorKey = Object.hasOwn(rule.error_keys, key) ? rule.error_keys[key] : undefined;
  if (errorKey === undefined) return { why: 'error-key-unknown', detail: key };
  const template = `${at} ${key}`;
  if (stopped.has(template)) return { why: 'template-stopped', detail: 'it was stopped in this request before' };
  try {
    const details = JSON.stringify(item.details ?? null);
    const answer = await pool.run({ rule: { ...rule, error_keys: { [key]: errorKey } }, component, key, details });
    if (answer.kind === 'failed') return { why: answer.why as Outcome, detail: answer.detail };
    const { resolution, reason, description } = answer;
    const report = { rule_id: module, error_key: key, resolution, reason, description };
    return { why: 'rendered', detail: '', report };
  } catch (error) {
    const code = errorCode(error);
    if (code === 'RUNNER_JOB_FAILED') return { why: 'template-failed', detail: String(error) };
    if (!stoppedCodes.has(code)) throw error;
    stopped.add(template);
    return { why: 'template-stopped', detail: String(error) };
  }
}

const text = z.string();
/** Only what is rendered is looked into; the rest has to be there, as in the reference's model. */
const contentSchema = z.object({
  plugin: z.object({ name: text, node_id: text, product_code: text, python_module: text }),
  error_keys: z.record(
    text,
    z.object({
      metadata: z.object({ description: text.default('') }),
      resolution: text.default(''),
      reason: text.default(''),
    }),
  ),
  generic: text,
  summary: text,
  resolution: text,
  more_info: text,
  reason: text,
  HasReason: z.boolean(),
});
const itemSchema = z.object({
  type: text,
  component: text,
  key: text,
  details: z.unknown().refine((value) => value !== undefined),
});
const requestSchema = z.object({
  content: z.array(contentSchema),
  report_data: z.object({
    clusters: z.array(text),
    reports: z.record(text, z.object({ reports: z.array(itemSchema) })),
  }),
});

type ReportItem = z.infer<typeof itemSchema>;

interface RenderRequest {
  readonly content: readonly RuleContent[];
  readonly report_data: z.infer<typeof requestSchema>['report_data'];
}

interface RequestFault {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
}

/** Faults as FastAPI lists them. */
function parseRequest(
  body: unknown,
): { readonly request: RenderRequest } | { readonly detail: readonly RequestFault[] } {
  let document: unknown;
  try {
    document = JSON.parse(String(body ?? ''));
  } catch {
    return { detail: [{ type: 'json_invalid', loc: ['body', 0], msg: 'JSON decode error' }] };
  }
  const parsed = requestSchema.safeParse(document);
  // What zod knows of an error key is what is rendered.
  if (parsed.success) return { request: parsed.data as unknown as RenderRequest };
  return { detail: parsed.error.issues.map((issue) => faultOf(issue, document)) };
}

const kinds: Readonly<Record<string, readonly [type: string, noun: string]>> = {
  string: ['string_type', 'string'],
  boolean: ['bool_type', 'boolean'],
  array: ['list_type', 'list'],
  object: ['dict_type', 'dictionary'],
  record: ['dict_type', 'dictionary'],
};

function faultOf(issue: z.core.$ZodIssue, document: unknown): RequestFault {
  const loc = ['body', ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  if (valueAt(document, issue.path) === undefined) return { type: 'missing', loc, msg: 'Field required' };
  const expected = issue.code === 'invalid_type' ? issue.expected : '';
  const [type, noun] = kinds[expected] ?? ['value_error', 'value of its type'];
  return { type, loc, msg: `Input should be a valid ${noun}` };
}

function valueAt(document: unknown, path: readonly PropertyKey[]): unknown {
  let value = document;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}
