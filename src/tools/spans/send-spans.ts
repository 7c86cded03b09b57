/**
 * The hops of an archive as spans, by OTLP over HTTP. Made of the business events that each service announces (docs/decisions/0002), so
 * that no service knows of it. A trace needs nothing to be passed on with the messages: its id is the request id, which runs from hop 1 to
 * hop 12 as it is, whatever stands in between. A collector that is away costs spans and nothing else.
 */
import { createHash } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  type Attributes,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  defaultResource,
  detectResources,
  envDetector,
  hostDetector,
  processDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  RandomIdGenerator,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { type Clock, createSystemClock } from '../../platform/clock/clock.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { readVersion } from '../../platform/config/version.ts';
import { BUSINESS_EVENT_CHANNEL, type BusinessEvent } from '../../platform/telemetry/telemetry.ts';
import { HOPS } from '../../topology.ts';
import { type HopTimes, SpanTimes } from './span-times.ts';

/** Of one export, its retries included, unless `OTEL_EXPORTER_OTLP_TIMEOUT` says otherwise: an orderly stop waits for the last one. */
const exportMsMax = 5_000;

/** Events that are no hop and yet belong to its trace: why it goes on later, or not at all. */
const troubles: ReadonlySet<string> = new Set([
  ...['upload-refused', 'announcement-kept', 'announcement-set-aside', 'step-retried', 'rule-failed'],
  ...['message-dead-lettered', 'notification-failed', 'notification-dead', 'render-failed'],
]);

/** Subscribes to the events of this process. Resolves when what has been seen is sent, or given up. */
export function sendSpans(env: ProcessInput['env'], clock: Clock = createSystemClock()): () => Promise<void> {
  const now = () => Number(clock.nowMicros()) / 1_000;
  const warn = (text: string) => process.stderr.write(`spans: ${text}\n`);
  diag.setLogger(
    { error: warn, warn, info: () => undefined, debug: () => undefined, verbose: () => undefined },
    DiagLogLevel.WARN,
  );
  const timeoutIsSet = ['OTEL_EXPORTER_OTLP_TIMEOUT', 'OTEL_EXPORTER_OTLP_TRACES_TIMEOUT'].some(
    (name) => env[name] !== undefined,
  );
  const exporter = new OTLPTraceExporter(timeoutIsSet ? {} : { timeoutMillis: exportMsMax });
  const processor = new BatchSpanProcessor({ exporter });
  const sampler = samplerOf(env, warn);
  const ids = new SpanIds();
  const tracers = new Map<string, Tracer>();
  const tracerOf = (service: string) => {
    let tracer = tracers.get(service);
    if (tracer === undefined) {
      const named = resourceFromAttributes({ 'service.name': service, 'service.version': readVersion() });
      // What the environment says, `OTEL_SERVICE_NAME` among it, counts more.
      const resource = defaultResource()
        .merge(named)
        .merge(detectResources({ detectors: [hostDetector, processDetector, envDetector] }));
      const provider = new TracerProvider({ resource, sampler, idGenerator: ids, spanProcessors: [processor] });
      tracer = provider.getTracer('ccx-notifications');
      tracers.set(service, tracer);
    }
    return tracer;
  };
  const times = new SpanTimes();

  const send = ({ service, event, fields }: BusinessEvent) => {
    const { requestId, hop } = fields;
    if (typeof requestId !== 'string' || requestId === '') return;
    const isHop = typeof hop === 'number';
    if (!isHop && !troubles.has(event)) return;
    const at = isHop
      ? times.of({ service, requestId, ...(fields as unknown as HopTimes) }, now())
      : { startMs: now(), endMs: now() };
    const traceId = traceIdOf(requestId);
    const rootId = rootSpanIdOf(requestId);
    const isRoot = hop === 1;
    ids.next = isRoot ? { traceId, spanId: rootId } : undefined;
    const parent = isRoot
      ? ROOT_CONTEXT
      : trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: rootId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
    const span = tracerOf(service).startSpan(
      isHop ? `${hop} ${HOPS[hop]?.step ?? event}` : event,
      {
        kind: isRoot ? SpanKind.SERVER : SpanKind.INTERNAL,
        startTime: at.startMs,
        attributes: attributesOf(event, fields),
      },
      parent,
    );
    if (!isHop) span.setStatus({ code: SpanStatusCode.ERROR, message: String(fields['code'] ?? event) });
    span.end(at.endMs);
  };
  const onEvent = (message: unknown) => {
    // Whoever announces an event is not to suffer from it.
    try {
      send(message as BusinessEvent);
    } catch (error) {
      warn(`${(message as BusinessEvent).event}: ${String(error)}`);
    }
  };
  subscribe(BUSINESS_EVENT_CHANNEL, onEvent);
  return async (): Promise<void> => {
    unsubscribe(BUSINESS_EVENT_CHANNEL, onEvent);
    await processor.shutdown().catch((error: unknown) => warn(String(error)));
  };
}

/** Random, but for the first span of a trace, which all others have to know. */
class SpanIds {
  readonly #random = new RandomIdGenerator();
  /** Of the span that is started next. */
  next: { readonly traceId: string; readonly spanId: string } | undefined;

  generateTraceId = (): string => this.next?.traceId ?? this.#random.generateTraceId();
  generateSpanId = (): string => this.next?.spanId ?? this.#random.generateSpanId();
}

/** The request id itself, which ingress makes of 32 hexadecimal digits; another one by its hash. */
function traceIdOf(requestId: string): string {
  return /^(?!0{32})[0-9a-f]{32}$/.test(requestId) ? requestId : hashOf('trace', requestId).slice(0, 32);
}

function rootSpanIdOf(requestId: string): string {
  return hashOf('span', requestId).slice(0, 16);
}

function hashOf(what: string, requestId: string): string {
  return createHash('sha256').update(`${what} ${requestId}`).digest('hex');
}

/**
 * By `OTEL_TRACES_SAMPLER`. All of a trace is sampled, or nothing: the ratio counts by its id, which every service knows. There is no
 * parent to ask, so that `parentbased_…` is what comes behind it.
 */
function samplerOf(env: ProcessInput['env'], warn: (text: string) => void): Sampler {
  const name = (env['OTEL_TRACES_SAMPLER'] ?? 'parentbased_always_on').replace(/^parentbased_/, '');
  if (name === 'always_on') return new AlwaysOnSampler();
  if (name === 'always_off') return new AlwaysOffSampler();
  const ratio = Number(env['OTEL_TRACES_SAMPLER_ARG'] ?? '1');
  if (name === 'traceidratio' && ratio >= 0 && ratio <= 1) return new TraceIdRatioBasedSampler(ratio);
  warn(`OTEL_TRACES_SAMPLER=${name} (${env['OTEL_TRACES_SAMPLER_ARG'] ?? ''}) is not known; all traces are sent`);
  return new AlwaysOnSampler();
}

function attributesOf(event: string, fields: BusinessEvent['fields']): Attributes {
  const known = Object.entries(fields).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value));
  return { 'ccx.event': event, ...Object.fromEntries(known.map(([name, value]) => [`ccx.${name}`, value as string])) };
}
