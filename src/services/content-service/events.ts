/** What happens in the content service: its log lines and metrics, with the metric names of the hosted service. Source: data-pipeline.md 8.4. */
import { Counter, Histogram, linearBuckets } from 'prom-client';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import type { RuleStatus } from '../../rules/content/load-content.ts';

export interface ContentServiceEvents {
  contentLoaded(root: string, status: Readonly<Record<string, RuleStatus>>): void;
  requestAnswered(answer: { endpoint: string; statusCode: number; elapsedMs: number }): void;
}

export function createContentServiceEvents(telemetry: Telemetry, metricsNamespace: string): ContentServiceEvents {
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

  return {
    contentLoaded(root, status) {
      const invalid = Object.entries(status).filter(([, state]) => !state.loaded);
      const rules = Object.keys(status).length - invalid.length;
      telemetry.log.info({ root, rules, invalid: invalid.length }, 'rule content loaded');
      for (const [rule, { error }] of invalid) telemetry.log.warn({ rule, error }, 'rule content is not valid');
      telemetry.announce('content-loaded', { rules, invalid: invalid.length });
    },
    requestAnswered({ endpoint, statusCode, elapsedMs }) {
      requests.inc({ endpoint });
      // Seconds, as Go's histogram counts them.
      responseTime.observe({ endpoint }, elapsedMs / 1000);
      statusCodes.inc({ status_code: String(statusCode) });
      telemetry.log.debug({ endpoint, statusCode, elapsedMs }, 'request answered');
    },
  };
}
