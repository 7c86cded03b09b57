/** Clusters whose routers have few and many servers. */
import { routerServersSeries } from '../../healthy-cluster.ts';
import { type Edit, type RuleSamples, withFile } from '../../sample.ts';
import { haproxyExporterServerThresholdExceeded } from './rule.ts';

const adding =
  (...lines: readonly string[]): Edit =>
  (files) =>
    withFile('config/metrics', `${String(files['config/metrics'])}${lines.join('\n')}\n`)(files);
const family = 'haproxy_exporter_server_threshold';

export const samples: RuleSamples = {
  rule: haproxyExporterServerThresholdExceeded,
  fires: {
    HAPROXY_EXPORTER_SERVER_THRESHOLD_EXCEEDED: [
      {
        title: 'a router with more servers than its limit',
        edit: adding(...routerServersSeries('router-shard-1', 731, 500)),
        details: { pod: 'router-shard-1', current: 731, limit: 500 },
      },
      {
        title: 'the pod that is furthest over its limit',
        edit: adding(
          ...routerServersSeries('router-a', 501, 500),
          ...routerServersSeries('router-b', 3000, 500),
          ...routerServersSeries('router-c', 3100, 3000),
        ),
        details: { pod: 'router-b', current: 3000, limit: 500 },
      },
      {
        title: 'numbers as Prometheus may write them, and labels with escapes and without order',
        edit: adding(
          `${family}{type="current",note="a \\"b\\" } {,\\\\",pod="router-x",} 1.2e+03 1763740800000`,
          `${family}{pod="router-x",type="limit"} 500`,
        ),
        details: { pod: 'router-x', current: 1200, limit: 500 },
      },
    ],
  },
  silent: [
    { title: 'a router at its limit', edit: adding(...routerServersSeries('router-shard-1', 500, 500)) },
    {
      title: 'a router that tells only one of the numbers',
      edit: adding(`${family}{pod="router-x",type="current"} 9000`, `${family}{pod="router-y",type="limit"} 5`),
    },
    {
      title: 'lines that are no series of a router',
      edit: adding(
        ...routerServersSeries('router-x', 'NaN', 500),
        ...routerServersSeries('router-y', '+Inf', 500),
        ...routerServersSeries('', 9000, 500),
        ...routerServersSeries('r'.repeat(254), 9000, 500),
        ...routerServersSeries('router-z', 9000, 500).map((line) => `x${line}`),
        ...routerServersSeries('router-z', 9000, 500).map((line) => line.replace('"} ', '"')),
        `${family}{pod="router-z",type="current"`,
        `${family}{pod="router-z",__proto__="current"} 9000`,
        `${family} 9000`,
      ),
    },
  ],
};
