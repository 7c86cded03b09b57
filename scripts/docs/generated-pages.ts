/**
 * Every page that is derived from code: what it is called and how it is made. `npm run generate` writes them, `test/tidy.test.ts` and
 * its PostgreSQL sibling compare them with what is there.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dashboards, renderDashboard } from '../deploy/dashboards.ts';
import {
  renderPrometheusRuleResource,
  renderPrometheusRules,
  renderPrometheusRuleTests,
} from '../deploy/prometheus-rules.ts';
import { renderCommandLines } from './command-line-tables.ts';
import { renderConfigurationPage } from './configuration-page.ts';
import { renderFiguresPage } from './figures-page.ts';
import { renderFlowDiagram, renderSequencePage } from './flow-diagram.ts';
import { renderMetricsPage } from './metrics-page.ts';
import { renderModuleGraph } from './module-graph.ts';
import { renderNightlyPage } from './nightly-page.ts';
import { repositoryRoot } from './source-tree.ts';
import { wrapProse } from './wrap-prose.ts';

export interface GeneratedPage {
  readonly path: string;
  render(): string;
}

/** Pages that need nothing but the source; docs/database.md needs a server and has a generator of its own. */
export const generatedPages: readonly GeneratedPage[] = [
  { path: 'docs/configuration.md', render: () => wrapProse(renderConfigurationPage()) },
  { path: 'docs/metrics.md', render: () => wrapProse(renderMetricsPage()) },
  { path: 'docs/sequence.md', render: () => wrapProse(renderSequencePage()) },
  { path: 'docs/figures.md', render: () => wrapProse(renderFiguresPage()) },
  { path: 'docs/nightly.md', render: () => wrapProse(renderNightlyPage()) },
  { path: 'deploy/prometheus/ccx.rules.yaml', render: renderPrometheusRules },
  { path: 'deploy/prometheus/ccx.rules.test.yaml', render: renderPrometheusRuleTests },
  { path: 'deploy/kubernetes/monitoring/prometheus-rule.yaml', render: renderPrometheusRuleResource },
  ...dashboards.map((dashboard) => ({
    path: `deploy/grafana/${dashboard.name}.json`,
    render: () => renderDashboard(dashboard),
  })),
  { path: 'README.md', render: renderReadme },
  { path: 'docs/compatibility.md', render: renderCompatibilityPage },
  { path: 'docs/architecture.md', render: renderArchitecturePage },
];

/** The README with the parts between its markers made anew from the topology. */
function renderReadme(): string {
  return withParts('README.md', 'src/topology.ts', { flow: renderFlowDiagram() });
}

/** The page with its tables of command lines made anew from what the tests run. */
function renderCompatibilityPage(): string {
  return withParts('docs/compatibility.md', 'test/drop-in/command-lines.ts', { 'command-lines': renderCommandLines() });
}

function renderArchitecturePage(): string {
  return withParts('docs/architecture.md', 'the imports', { graph: renderModuleGraph() });
}

function withParts(path: string, source: string, parts: Readonly<Record<string, string>>): string {
  let text = readFileSync(join(repositoryRoot, path), 'utf8');
  for (const [name, content] of Object.entries(parts)) text = replaceBetween(text, { path, name, source, content });
  return text;
}

interface Part {
  readonly path: string;
  readonly name: string;
  readonly source: string;
  readonly content: string;
}

function replaceBetween(text: string, { path, name, source, content }: Part): string {
  const start = `<!-- ${name}:start, from ${source} -->`;
  const end = `<!-- ${name}:end -->`;
  const from = text.indexOf(start);
  const to = text.indexOf(end);
  if (from === -1 || to === -1) throw new Error(`${path} lacks the markers of ${name}`);
  return `${text.slice(0, from + start.length)}\n${content}\n${text.slice(to)}`;
}
