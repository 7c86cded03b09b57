/**
 * Every page that is derived from code: what it is called and how it is made. `npm run generate` writes them, `test/tidy.test.ts` and
 * its PostgreSQL sibling compare them with what is there.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderConfigurationPage } from './configuration-page.ts';
import { renderFlowDiagram, renderHopTable, renderSequencePage } from './flow-diagram.ts';
import { renderModulesPage } from './modules-page.ts';
import { repositoryRoot } from './source-tree.ts';

export interface GeneratedPage {
  readonly path: string;
  render(): string;
}

/** Pages that need nothing but the source; docs/database.md needs a server and has a generator of its own. */
export const generatedPages: readonly GeneratedPage[] = [
  { path: 'docs/configuration.md', render: renderConfigurationPage },
  { path: 'docs/sequence.md', render: renderSequencePage },
  { path: 'docs/modules.md', render: renderModulesPage },
  { path: 'README.md', render: renderReadme },
];

/** The README with the parts between its markers made anew from the topology. */
function renderReadme(): string {
  const text = readFileSync(join(repositoryRoot, 'README.md'), 'utf8');
  return replaceBetween(replaceBetween(text, 'flow', renderFlowDiagram()), 'hops', renderHopTable());
}

function replaceBetween(text: string, name: string, content: string): string {
  const start = `<!-- ${name}:start, from src/topology.ts -->`;
  const end = `<!-- ${name}:end -->`;
  const from = text.indexOf(start);
  const to = text.indexOf(end);
  if (from === -1 || to === -1) throw new Error(`README.md lacks the markers of ${name}`);
  return `${text.slice(0, from + start.length)}\n${content}\n${text.slice(to)}`;
}
