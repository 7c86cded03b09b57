/**
 * `npm run docs`: the documentation as a static site that needs no network, in `site/`: every page of docs, every source with what is documented
 * in it, class, sequence and database diagrams, and a page for each rule. TypeDoc reads the sources and makes the pages; what is only ours is
 * made before it (`site-pages.ts`, `class-diagrams.ts`, `rule-pages.ts`) and behind it (`finish-site.ts`). Ends with 1 when a link leads nowhere.
 *
 *   npm run docs                     into site/
 *   npm run docs -- --out=/tmp/x     somewhere else
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { repositoryRoot } from '../docs/source-tree.ts';
import { checkDiagrams } from './check-diagrams.ts';
import { checkSite } from './check-site.ts';
import { type Model, renderClassDiagrams } from './class-diagrams.ts';
import { finishSite, SOURCE_ORIGIN } from './finish-site.ts';
import { renderRulePages } from './rule-pages.ts';
import { writePages } from './site-pages.ts';

const here = import.meta.dirname;
/** More than TypeDoc takes; what it asks for by itself is half of it. */
const heapMebibytes = 4_096;

if (import.meta.main) {
  const { values } = parseArgs({
    args: [...readProcessInput().args],
    options: { out: { type: 'string', default: join(repositoryRoot, 'site') } },
  });
  const out = resolve(values.out);
  const { pages } = await makeSite(out);
  const diagrams = await checkDiagrams(out);
  const complaints = [...checkSite(out), ...diagrams.complaints];
  for (const complaint of complaints) console.error(complaint);
  const drawn = Object.values(diagrams.counts).reduce((sum, count) => sum + count, 0);
  console.log(`${pages} pages, ${drawn} diagrams, ${complaints.length} faults: ${join(out, 'index.html')}`);
  process.exitCode = complaints.length === 0 ? 0 : 1;
}

/** What was in the folder is removed. */
export async function makeSite(out: string): Promise<{ readonly pages: number }> {
  if (!existsSync(join(here, 'node_modules/typedoc'))) run('npm', ['ci', '--prefix', here, '--no-audit', '--no-fund']);
  const work = mkdtempSync(join(tmpdir(), 'ccx-site-'));
  try {
    const sources = { entryPointStrategy: 'expand', entryPoints: [join(repositoryRoot, 'src')] };
    typedoc(work, { ...sources, exclude: ['**/*.test.ts', '**/*.contract.ts'], json: join(work, 'model.json') });
    const model = JSON.parse(readFileSync(join(work, 'model.json'), 'utf8')) as Model;
    const own = [renderClassDiagrams(model), ...(await renderRulePages())];
    const { documents, readme, linked } = writePages(join(work, 'pages'), own);
    typedoc(work, {
      ...{ entryPointStrategy: 'merge', entryPoints: [join(work, 'model.json')] },
      ...{
        out,
        readme,
        projectDocuments: documents,
        categorizeByGroup: false,
        sort: ['documents-first', 'alphabetical'],
      },
      navigation: { includeGroups: true, includeCategories: false, includeFolders: true },
      customJs: join(here, 'diagrams.js'),
      cleanOutputDir: true,
      includeHierarchySummary: false,
    });
    return finishSite(out, { linked, mermaid: join(here, 'node_modules/mermaid/dist/mermaid.min.js') });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function typedoc(work: string, options: Readonly<Record<string, unknown>>): void {
  const file = join(work, 'typedoc.json');
  const common = {
    ...{ name: 'CCX Notifications', tsconfig: join(repositoryRoot, 'tsconfig.json'), basePath: repositoryRoot },
    // `npm run check` has said that the types hold; every place that a name leads to is checked in what comes out.
    ...{ skipErrorChecking: true, logLevel: 'Error', validation: false },
    ...{ disableGit: true, sourceLinkTemplate: `${SOURCE_ORIGIN}src/{path}#L{line}`, gitRevision: 'none' },
    ...{
      excludeExternals: true,
      excludeInternal: true,
      highlightLanguages: ['typescript', 'console', 'sh', 'json', 'yaml', 'sql'],
    },
  };
  writeFileSync(file, JSON.stringify({ ...common, ...options }));
  const program = join(here, 'node_modules/typedoc/bin/typedoc');
  run(process.execPath, [`--max-old-space-size=${heapMebibytes}`, program, '--options', file]);
}

function run(program: string, args: readonly string[]): void {
  execFileSync(program, args, { cwd: repositoryRoot, stdio: ['ignore', 'ignore', 'inherit'] });
}
