/**
 * The metrics of each role, from the registries that the roles fill themselves. Used by the page of metrics; `test/system/metrics.pg.test.ts`
 * holds them against what a process answers to `GET /metrics`.
 */
import { Registry } from 'prom-client';
import { lagGauge } from '../../src/platform/bus/intake/consumer-lag.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { runnersReplaced } from '../../src/platform/runner-pool/runner-pool.ts';
import { createSilentTelemetry } from '../../src/platform/telemetry/telemetry.ts';
import { createContentServiceEvents } from '../../src/services/content-service/service.ts';
import { createPipelineMetrics } from '../../src/services/data-pipeline/metrics.ts';
import { createIngressMetrics } from '../../src/services/ingress/metrics.ts';
import { createAlertEvents } from '../../src/services/notification-service/alerts/alert-events.ts';
import { createAuditEvents } from '../../src/services/notification-service/audit-events.ts';
import { notificationServiceOptions } from '../../src/services/notification-service/config.ts';
import { createMetrics } from '../../src/services/notification-service/metrics.ts';
import { createTargetEvents } from '../../src/services/notification-service/targets/service-log-target/compose-entries.ts';
import { notificationWriterOptions } from '../../src/services/notification-writer/config.ts';
import { createWriterMetrics } from '../../src/services/notification-writer/telemetry.ts';
import { createTrackerEvents } from '../../src/services/payload-tracker/telemetry.ts';
import { createResultsEvents } from '../../src/services/results-api/telemetry.ts';

export interface ExposedMetric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

type RoleName = keyof typeof fill;

/** What a registry says of its metrics; the types of the package leave it out. */
interface RegisteredMetric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

/** Without what every process has, which depends on the machine. */
const ofEveryProcess = /^(process|nodejs)_/;

const fill = {
  ingress(registry: Registry) {
    const metrics = createIngressMetrics(registry, { version: '', commit: '' });
    const unread = {} as never;
    metrics.gauges(unread, unread, unread, { freeBytes: async () => 0 });
  },
  'data-pipeline'(registry: Registry) {
    const none = () => 0;
    createPipelineMetrics(registry, {
      ...{ in_flight: none, places_waiting: none, read_ahead: none, waiting: none },
      ...{ hosts_away: none, in_flight_bytes: none, rules_quarantined: none },
      ...{ pack_rules: none, packs_stale: none },
    });
    runnersReplaced(registry);
    lagGauge(registry);
  },
  writer(registry: Registry) {
    createWriterMetrics(registry, notificationWriterOptions.options['metrics.namespace'].default);
    lagGauge(registry);
  },
  notifier(registry: Registry) {
    const { options } = notificationServiceOptions;
    const [namespace, subsystem] = [options['metrics.namespace'].default, options['metrics.subsystem'].default];
    createMetrics(registry, { namespace, subsystem });
    createTargetEvents({ ...createSilentTelemetry(), registry });
    createAuditEvents({ ...createSilentTelemetry(), registry }, createSystemClock());
    createAlertEvents({ ...createSilentTelemetry(), registry }, createSystemClock());
    runnersReplaced(registry);
  },
  tracker(registry: Registry) {
    createTrackerEvents({ ...createSilentTelemetry(), registry }, createSystemClock());
    lagGauge(registry);
  },
  results(registry: Registry) {
    createResultsEvents({ ...createSilentTelemetry(), registry });
  },
  content(registry: Registry) {
    createContentServiceEvents({ ...createSilentTelemetry(), registry }, '');
  },
};

export const metricRoles = Object.keys(fill) as readonly RoleName[];

/** In the order in which the role registers them. */
export function exposedMetrics(role: RoleName): readonly ExposedMetric[] {
  const registry = new Registry();
  fill[role](registry);
  const metrics = (registry.getMetricsAsArray() as unknown as RegisteredMetric[])
    .filter(({ name }) => !ofEveryProcess.test(name))
    .map(({ name, type, help, labelNames: labels }) => ({ name, type, help, labels }));
  registry.clear();
  return metrics;
}
