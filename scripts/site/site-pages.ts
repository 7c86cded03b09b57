/**
 * The pages that TypeDoc is given: copies of those of the tree, with a title, a group, and links that lead to each other, to the folders' pages
 * and to the sources. A link to what has no page leads to the file's text (`finish-site.ts`).
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { listFiles, readSourceTree, repositoryRoot } from '../docs/source-tree.ts';
import { SOURCE_ORIGIN } from './finish-site.ts';

/** Markdown, with links as from the root of the repository. */
export interface SitePage {
  /** Without an ending; no two have the same. */
  readonly name: string;
  readonly title: string;
  readonly group: string;
  readonly text: string;
}

export interface WrittenPages {
  readonly documents: readonly string[];
  readonly readme: string;
  /** Files of the repository that pages lead to. */
  readonly linked: ReadonlySet<string>;
}

const readmePath = 'README.md';

export function writePages(folder: string, own: readonly SitePage[]): WrittenPages {
  mkdirSync(folder, { recursive: true });
  const paths = listFiles('.', (path) => path.endsWith('.md')).filter(isDocument);
  const names = new Map([...paths.map((path) => [path, nameOf(path)] as const)]);
  const linked = new Set<string>();
  const folders = new Set<string>();
  const toPage = (target: string, anchor: string): string => {
    if (target === readmePath) return 'index.html';
    const name = names.get(target);
    if (name !== undefined) return `./${name}.md${anchor}`;
    const path = join(repositoryRoot, target);
    if (!existsSync(path)) return `${target}${anchor}`;
    if (!statSync(path).isDirectory()) {
      linked.add(target);
      return `${SOURCE_ORIGIN}${target}`;
    }
    const own = names.get(join(target, 'README.md'));
    if (own !== undefined) return `./${own}.md${anchor}`;
    folders.add(target);
    return `./${nameOf(target)}.md`;
  };
  const write = ({ name, title, group, text }: SitePage, from: string): string => {
    const head = `---\ntitle: ${JSON.stringify(title)}\ngroup: ${JSON.stringify(group)}\n---\n\n`;
    const path = join(folder, `${name}.md`);
    writeFileSync(path, head + withLinks(text, from, toPage));
    return path;
  };
  const documents = paths.map((path) => {
    const text = readFileSync(join(repositoryRoot, path), 'utf8');
    return write({ name: nameOf(path), title: titleOf(text, path), group: groupOf(path), text }, dirname(path));
  });
  documents.push(...own.map((page) => write(page, '.')));
  const readme = join(folder, 'readme.md');
  writeFileSync(readme, withLinks(readFileSync(join(repositoryRoot, readmePath), 'utf8'), '.', toPage));
  // A folder's page may lead to another folder.
  for (const target of folders) documents.push(write(folderPage(target), '.'));
  return { documents, readme, linked };
}

function isDocument(path: string): boolean {
  return /^(docs|src|deploy|bench)\//.test(path) && !path.startsWith('src/rules/catalog/')
    ? true
    : path === 'CHANGELOG.md';
}

function nameOf(path: string): string {
  return path.replace(/\.md$/, '').replaceAll('/', '-');
}

function titleOf(text: string, path: string): string {
  const heading = /^# (.+)$/m.exec(text)?.[1] ?? path;
  return path.endsWith('README.md') ? `${heading.replaceAll('`', '')} (${dirname(path)})` : heading.replaceAll('`', '');
}

function groupOf(path: string): string {
  if (path.startsWith('docs/decisions/')) return 'Decisions';
  if (path.startsWith('docs/services/')) return 'Services';
  return path.startsWith('docs/') ? 'Documentation' : 'Beside the sources';
}

/** Outside of code. `from`: the folder that the links are relative to. */
function withLinks(text: string, from: string, toPage: (target: string, anchor: string) => string): string {
  return text
    .split(/(```[\s\S]*?```|`[^`\n]*`)/)
    .map((part, index) =>
      index % 2 === 1
        ? part
        : part.replace(/\]\(([^)\s#]+)(#[^)\s]*)?\)/g, (whole, target: string, anchor = '') =>
            /^[a-z]+:/.test(target) ? whole : `](${toPage(join(from, target).replace(/\/$/, ''), anchor)})`,
          ),
    )
    .join('');
}

/** What a folder without a page of its own holds. */
function folderPage(folder: string): SitePage {
  const tree = readSourceTree();
  const entries = readdirSync(join(repositoryRoot, folder), { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => join(folder, name));
  const rows = files.map((path) => {
    const [first = ''] = (tree.get(path)?.header ?? '').split(/(?<=\.)\s/);
    return `| [${relative(folder, path)}](${path}) | ${first.replaceAll('\n', ' ').replaceAll('|', '\\|').replaceAll('`', '')} |`;
  });
  const below = entries
    .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
    .map(({ name }) => `* [${name}](${join(folder, name)})`);
  return {
    ...{ name: nameOf(folder), title: folder, group: 'Folders' },
    text: [
      `# ${folder}`,
      ...(below.length > 0 ? ['', ...below] : []),
      ...(rows.length > 0 ? ['', '| file | what it is for |', '|---|---|', ...rows] : []),
      '',
    ].join('\n'),
  };
}
