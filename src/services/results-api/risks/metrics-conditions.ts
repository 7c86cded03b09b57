/**
 * Alerts and operators from a Prometheus, or a Thanos that has the metrics of many clusters (the observability of ACM): one question for up
 * to a hundred clusters. What fired or failed at some time of the last hour counts, as remote metrics come minutes late.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { ClusterConditions } from '../../../contracts/cluster-conditions.ts';
import { CcxError, configInvalid } from '../../../encoding/ccx-error.ts';
import { isLoopback } from '../../../platform/auth/locality.ts';
import { callHttp } from '../../../platform/http/http-client.ts';

export interface MetricsSettings {
  /** Below it is `/api/v1/query`; empty: there is none. */
  readonly url: string;
  /** PEM; empty: what everybody trusts. Both files are read for each question, so that they may be replaced. */
  readonly caFile: string;
  /** Bearer token; empty: none. */
  readonly tokenFile: string;
  /** Label with a cluster's id. */
  readonly clusterLabel: string;
}

interface MetricsConditions extends ClusterConditions {
  /** Address of the cluster's console; empty where nobody says. */
  readonly consoleUrl: string;
}

/** Before whoever waits for an answer of ours gives up. */
const answerMsMax = 5_000;
const lookBack = '60m';
const settingsToCheck = 'check risks.metrics_url, risks.metrics_ca_file and risks.metrics_token_file';

const answerSchema = z.object({
  status: z.literal('success'),
  data: z.object({
    resultType: z.literal('vector'),
    result: z.array(z.object({ metric: z.record(z.string(), z.string()) })),
  }),
});
type Series = z.infer<typeof answerSchema>['data']['result'][number]['metric'];

/** Code `CONFIG_INVALID` for an address that would show the token to others, or a label that is none. The other side may be away. */
export function openMetrics(settings: MetricsSettings): MetricsSource {
  const url = URL.parse(settings.url);
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw configInvalid('risks.metrics_url is no http:// or https:// address', 'name a Prometheus or a Thanos');
  if (settings.tokenFile !== '' && url.protocol === 'http:' && !isLoopback(url.hostname))
    throw configInvalid(
      `risks.metrics_url is no address to send a token to: ${url.origin}`,
      'give an https:// address; http:// only on this machine, or without risks.metrics_token_file',
    );
  if (!/^[a-zA-Z_]\w*$/.test(settings.clusterLabel))
    throw configInvalid('risks.cluster_label is no name of a label', 'it is letters, digits and underscores');
  return new MetricsSource(settings);
}

class MetricsSource {
  readonly #settings: MetricsSettings;

  constructor(settings: MetricsSettings) {
    this.#settings = settings;
  }

  /** `clusters`: UUIDs in lower case. Those that nothing is known of are not in it. Rejects with `METRICS_UNAVAILABLE`, retryable. */
  async read(clusters: readonly string[]): Promise<ReadonlyMap<string, MetricsConditions>> {
    if (clusters.length === 0) return new Map();
    const { clusterLabel } = this.#settings;
    const found = new Map<string, Series[]>();
    for (const series of await this.#ask(queryFor(clusters, clusterLabel))) {
      const cluster = series[clusterLabel]?.toLowerCase() ?? '';
      found.set(cluster, [...(found.get(cluster) ?? []), series]);
    }
    return new Map(
      clusters.flatMap((cluster) => {
        const series = found.get(cluster);
        return series === undefined ? [] : [[cluster, conditionsOf(series)] as const];
      }),
    );
  }

  async #ask(query: string): Promise<readonly Series[]> {
    const { url, caFile, tokenFile } = this.#settings;
    try {
      const ca = caFile === '' ? undefined : await readFile(caFile, 'utf8');
      const token = tokenFile === '' ? undefined : (await readFile(tokenFile, 'utf8')).trim();
      const { status, body } = await callHttp(`${url.replace(/\/+$/, '')}/api/v1/query`, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: new URLSearchParams({ query }).toString(),
        deadlineMs: answerMsMax,
        ...(ca === undefined ? {} : { tls: { ca } }),
      });
      if (status !== 200) throw unusable(`it answered with status ${status}`);
      const parsed = answerSchema.safeParse(parsedJson(body));
      if (!parsed.success) throw unusable('its answer is none of the query API of Prometheus');
      return parsed.data.data.result.map(({ metric }) => metric);
    } catch (cause) {
      throw unavailable(cause);
    }
  }
}

/** By their labels the parts of the answer are told apart: alerts have `alertname`, operators `condition`, consoles `url`. */
function queryFor(clusters: readonly string[], label: string): string {
  const of = `${label}=~"${clusters.join('|')}"`;
  const during = (selector: string, which: 'max' | 'min') => `${which}_over_time(${selector}[${lookBack}])`;
  const alerts = during(`ALERTS{alertstate="firing",severity="critical",namespace=~"openshift-.*",${of}}`, 'max');
  const unavailable = during(`cluster_operator_conditions{condition="Available",${of}}`, 'min');
  const degraded = during(`cluster_operator_conditions{condition="Degraded",${of}}`, 'max');
  return [
    `count by (${label}) (${during(`cluster_operator_conditions{${of}}`, 'max')})`,
    `count by (${label}, alertname, namespace, severity) (${alerts})`,
    `count by (${label}, name, condition, reason) (${unavailable} == 0 or ${degraded} == 1)`,
    `count by (${label}, url) (${during(`console_url{${of}}`, 'max')})`,
  ].join(' or ');
}

function conditionsOf(series: readonly Series[]): MetricsConditions {
  return {
    alerts: series.flatMap(({ alertname, namespace = '', severity = '' }) =>
      alertname === undefined ? [] : { name: alertname, namespace, severity },
    ),
    operators: series.flatMap(({ name, condition, reason = '' }) =>
      name === undefined || condition === undefined
        ? []
        : { name, condition: condition === 'Available' ? ('Not Available' as const) : ('Degraded' as const), reason },
    ),
    consoleUrl: series.find(({ url }) => url !== undefined)?.['url'] ?? '',
  };
}

function parsedJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function unusable(why: string): CcxError {
  return new CcxError(why, { code: 'METRICS_ANSWER', category: 'connection', retryable: true });
}

function unavailable(cause: unknown): CcxError {
  return new CcxError('the metrics of clusters cannot be asked for', {
    ...{ code: 'METRICS_UNAVAILABLE', category: 'connection', retryable: true, cause },
    hint: settingsToCheck,
  });
}
