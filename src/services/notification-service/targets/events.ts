/** What happened inside a target: its log line, its metric and its announcement. What happened to a message is told by the run. */
import { Counter } from 'prom-client';
import type { Telemetry } from '../../../platform/telemetry/telemetry.ts';

export interface RenderingFallback {
  readonly cluster: string;
  readonly component: string;
  readonly errorKey: string;
  readonly code: string;
  readonly why: string;
}

export type TargetEvents = ReturnType<typeof createTargetEvents>;

export function createTargetEvents({ log, registry, announce }: Telemetry) {
  const fallbacks = new Counter({
    name: 'ccx_notification_rendering_fallbacks_total',
    help: 'Issues told about with plain texts, since their templates could not be rendered',
    labelNames: ['code'],
    registers: [registry],
  });
  return {
    renderingFellBack({ code, ...where }: RenderingFallback): void {
      fallbacks.inc({ code });
      log.warn({ ...where, code }, 'texts could not be rendered; plain ones are told instead');
      const { cluster, component, errorKey } = where;
      announce('rendering-fell-back', { target: 'service-log', cluster, component, errorKey, code });
    },
  };
}
