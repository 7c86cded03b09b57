/** docs/metrics.md: every metric of every role, whose it is, what its labels mean, and when somebody is to be told. */
import { type ExposedMetric, exposedMetrics, metricRoles } from './exposed-metrics.ts';
import { labelMeanings, processMetrics, roleNotes, runtimeMetrics } from './metric-notes.ts';

/** Throws where notes and registries do not fit together. */
export function renderMetricsPage(): string {
  const used = new Set<string>();
  const sections = metricRoles.flatMap((role) => {
    const metrics = exposedMetrics(role);
    for (const { labels } of metrics) for (const label of labels) used.add(label);
    return roleSection(role, metrics);
  });
  const explained = Object.keys(labelMeanings);
  requireNone(
    'labels without a meaning',
    [...used].filter((label) => !explained.includes(label)),
  );
  requireNone(
    'meanings of no label',
    explained.filter((label) => !used.has(label)),
  );
  return [
    '# Metrics',
    '',
    'Generated from what the roles register by `npm run generate`; do not edit.',
    '',
    'Prometheus text. Metrics of the reference have its names, labels and buckets, so that dashboards and alerts written for it go on working; ours stand beside them. Whatever is counted in the database is counted by the role itself, now and then: a scrape asks nobody. The all-in-one has the metrics of all its roles on one page; those of one name are added.',
    '',
    'The expressions below are where to begin, not what fits every installation; `deploy/prometheus/ccx.rules.yaml` holds them as rules, with their tests beside it. That a role is up is for the scrape to say (`up`), or `ccx roles`. A series with labels begins with its first event, which `increase` does not see: therefore the `unless … offset`.',
    ...sections,
    '',
    '## Of the process',
    '',
    `Every role but content has what Go's client library shows of a process, under its names, on Linux: ${listed(processMetrics)}.`,
    '',
    `Ingress has Node's own beside them, in place of those of the Go runtime: ${listed(runtimeMetrics)}.`,
    '',
    '## Labels',
    '',
    '| label | meaning |',
    '|---|---|',
    ...Object.entries(labelMeanings).map(([label, meaning]) => `| \`${label}\` | ${cell(meaning)} |`),
    '',
  ].join('\n');
}

function roleSection(role: (typeof metricRoles)[number], metrics: readonly ExposedMetric[]): string[] {
  const { shown, reference, alerts } = roleNotes[role];
  const names = new Set(reference.names.map((name) => `${reference.prefix}${name}`));
  const exposed = new Set(metrics.map(({ name }) => name));
  requireNone(
    `metrics of the reference that ${role} lacks`,
    [...names].filter((name) => !exposed.has(name)),
  );
  for (const { when } of alerts)
    requireNone(
      `metrics in an alert that ${role} lacks`,
      metricsIn(when).filter((name) => !exposed.has(name)),
    );
  const settings =
    reference.setting === undefined ? '' : ` The reference's names begin with ${setting(reference.setting)}.`;
  return [
    '',
    `## ${role}`,
    '',
    `${shown}.${settings}`,
    '',
    '| metric | type | labels | whose | meaning |',
    '|---|---|---|---|---|',
    ...metrics.map(
      ({ name, type, labels, help }) =>
        `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${names.has(name) ? 'reference' : 'ours'} | ${cell(help)} |`,
    ),
    ...(alerts.length === 0 ? [] : ['', '| alert | tell somebody when | for | what it means |', '|---|---|---|---|']),
    ...alerts.map(
      ({ name, when, for: duration, means }) => `| ${name} | \`${cell(when)}\` | ${duration} | ${cell(means)} |`,
    ),
  ];
}

/** Names in an expression: words with an underscore that no bracket follows, without the labels and the suffix of a histogram. */
export function metricsIn(expression: string): string[] {
  const words = expression.replaceAll(/\{[^}]*\}/g, '').match(/\b[a-z]\w*_\w+\b(?!\s*\()/g) ?? [];
  return words.map((word) => word.replace(/_bucket$/, ''));
}

function setting(names: string): string {
  return names
    .split(' and ')
    .map((name) => `\`${name}\``)
    .join(' and ');
}

function listed(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}

function requireNone(what: string, found: readonly string[]): void {
  if (found.length > 0) throw new Error(`${what}: ${found.join(', ')}`);
}

/** A pipe would end the table's cell. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
