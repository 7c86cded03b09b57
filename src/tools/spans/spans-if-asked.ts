/**
 * Whether this process sends its hops as spans of OpenTelemetry, by the standard environment variables. Nothing of it is loaded where
 * nobody asks. Called by `cli.ts` and by the drop-in programs before anything else.
 */
import type { ProcessInput } from '../../platform/config/process-input.ts';

type Environment = ProcessInput['env'];

/** Sends spans from now until the process ends, where the environment asks for them. */
export async function sendSpansIfAsked(env: Environment): Promise<void> {
  if (!asksForSpans(env)) return;
  const { sendSpans } = await import('./send-spans.ts');
  const stop = sendSpans(env);
  // Once: what is sent here keeps the process alive a little longer, and its end is announced again.
  process.once('beforeExit', () => void stop());
}

/**
 * An endpoint, or the exporter by its name; `OTEL_SDK_DISABLED=true` and `OTEL_TRACES_EXPORTER=none` win. Source: OpenTelemetry,
 * Environment Variable Specification.
 */
export function asksForSpans(env: Environment): boolean {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return false;
  const exporter = env['OTEL_TRACES_EXPORTER'] ?? '';
  if (exporter !== '') return exporter.split(',').some((name) => name.trim() === 'otlp');
  return [env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'], env['OTEL_EXPORTER_OTLP_ENDPOINT']].some(
    (endpoint) => endpoint !== undefined && endpoint !== '',
  );
}
