/** Clusters whose Prometheus does, and does not, complain of series that it finds twice. */
import { chain, type Edit, type RuleSamples, withFile, withValue } from '../../sample.ts';
import { prometheusRuleEvaluationFail } from './rule.ts';

const release = (version: string): Edit =>
  withValue('config/version.json', ['status', 'history'], [{ state: 'Completed', version }]);
const affected = release('4.6.40');
const complaint = (time: string) =>
  `level=warn ts=2026-11-20T${time}Z component="rule manager" msg="Evaluating rule failed" err="found duplicate series for the match group {pod=\\"a\\"}"`;
const log = (path: string, ...lines: readonly string[]): Edit => withFile(path, lines.join('\n'));
const pods = 'namespaces/openshift-monitoring/pods';
const current = `${pods}/prometheus-k8s-0/prometheus/current.log`;
const conditional =
  'conditional/namespaces/openshift-monitoring/pods/prometheus-k8s-1/containers/prometheus/logs/last-100-lines.log';
const told = (line: string) => `${line.slice(0, 199)}…`;
const times = ['01:00:00', '02:00:00', '03:00:00', '04:00:00', '05:00:00', '06:00:00'] as const;

export const samples: RuleSamples = {
  rule: prometheusRuleEvaluationFail,
  fires: {
    PROMETHEUS_RULE_EVALUATION_FAIL: [
      {
        title: 'rules that fail',
        edit: chain(affected, log(current, 'level=info', complaint('08:00:00'), complaint('09:00:00'))),
        details: { messages: [complaint('09:00:00'), complaint('08:00:00')] },
        now: '2021-12-01T06:00:00Z',
        settles: ['release'],
      },
      {
        title: 'no more than five lines, of what was gathered for an alert',
        edit: chain(affected, log(conditional, ...times.map(complaint))),
        details: { messages: [...times].reverse().slice(0, 5).map(complaint) },
      },
      {
        title: 'a line that is long',
        edit: chain(affected, log(current, `${complaint('08:00:00')} ${'x'.repeat(10_000)}`)),
        details: { messages: [told(`${complaint('08:00:00')} ${'x'.repeat(100)}`)] },
      },
    ],
  },
  silent: [
    { title: 'a log without complaints', edit: chain(affected, log(current, 'level=info')) },
    { title: 'an empty log', edit: chain(affected, log(current, '')) },
    { title: 'a release in which it is mended', edit: chain(release('4.7.0'), log(current, complaint('08:00:00'))) },
    {
      title: 'complaints of a container that has ended',
      edit: chain(
        affected,
        log(current, 'level=info'),
        log(`${pods}/prometheus-k8s-0/prometheus/previous.log`, complaint('08:00:00')),
      ),
    },
    {
      title: "complaints of an owner's own Prometheus",
      edit: chain(
        affected,
        log(current, 'level=info'),
        log('namespaces/shop/pods/prometheus-k8s-0/prometheus/current.log', complaint('08:00:00')),
      ),
    },
  ],
};
