/** What the runner pool tells about itself: its log line, metric and event in one place. */
import { Counter } from 'prom-client';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { RunnerError } from './runner-error.ts';

export interface RunnerPoolEvents {
  /** A child is gone and another takes its place. Retired children, after their number of jobs, are not told. */
  runnerReplaced(error: RunnerError): void;
}

/** `telemetry` may be absent, e.g. in a short command; several pools of one process share the metric and differ by `pool`. */
export function createRunnerPoolEvents(pool: string, telemetry: Telemetry | undefined): RunnerPoolEvents {
  if (telemetry === undefined) return { runnerReplaced: () => undefined };
  const name = 'ccx_runner_replaced_total';
  const replaced =
    (telemetry.registry.getSingleMetric(name) as Counter<'pool' | 'code'> | undefined) ??
    new Counter({
      name,
      help: 'Runner child processes that ended and were replaced',
      labelNames: ['pool', 'code'],
      registers: [telemetry.registry],
    });
  return {
    runnerReplaced(error) {
      replaced.inc({ pool, code: error.code });
      telemetry.log.warn({ pool, code: error.code, label: error.label, error: error.message }, 'runner child replaced');
      telemetry.announce('runner-replaced', { pool, code: error.code, label: error.label });
    },
  };
}
