/**
 * What is done to TypeDoc's pages: links to sources lead to pages with their text, which are made here; Mermaid, which draws the diagrams in the
 * reader's browser, is laid beside them, since nothing may come from elsewhere.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { listFiles, repositoryRoot } from '../docs/source-tree.ts';
import { filesOf } from './check-site.ts';

/** Stands in pages for where the sources are; a name that can never be a host's. */
export const SOURCE_ORIGIN = 'https://source.invalid/';

export function finishSite(
  out: string,
  { linked, mermaid }: { readonly linked: ReadonlySet<string>; readonly mermaid: string },
): { readonly pages: number } {
  copyFileSync(mermaid, join(out, 'assets/mermaid.js'));
  const sources = new Set([...linked, ...listFiles('src', (path) => path.endsWith('.ts'))]);
  const pages = filesOf(out).filter((path) => path.endsWith('.html'));
  for (const page of pages) {
    const path = join(out, page);
    const text = readFileSync(path, 'utf8');
    const root = relative(dirname(page), '.') || '.';
    const changed = text
      // What a type has from a package: the package is not part of the site.
      .replace(/<a href="https:\/\/source\.invalid\/[^"]*\/node_modules\/[^"]*"[^>]*>([^<]*)<\/a>/g, '$1')
      .replace(/https:\/\/source\.invalid\/([^"#\s]+)/g, (_, file: string) => `${root}/source/${file}.html`)
      .replaceAll('href="index.html"', `href="${root}/index.html"`);
    if (changed !== text) writeFileSync(path, changed);
  }
  for (const source of sources) writeSource(out, source);
  return { pages: pages.length + sources.size };
}

function writeSource(out: string, source: string): void {
  const page = join(out, 'source', `${source}.html`);
  const root = relative(dirname(page), out);
  const lines = readFileSync(join(repositoryRoot, source), 'utf8').replace(/\n$/, '').split('\n');
  const text = lines.map((line, index) => `<span id="L${index + 1}">${escaped(line)}\n</span>`).join('');
  mkdirSync(dirname(page), { recursive: true });
  writeFileSync(
    page,
    `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>${escaped(source)}</title>` +
      `<link rel="stylesheet" href="${root}/assets/style.css"><style>span:target{background:#ffe58f;color:#000}</style></head>` +
      `<body><p><a href="${root}/index.html">CCX Notifications</a></p><h1>${escaped(source)}</h1><pre><code>${text}</code></pre></body></html>\n`,
  );
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
