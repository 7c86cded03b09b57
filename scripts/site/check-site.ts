/** Whether every link of the site leads somewhere, to the place in the page that it names, and nothing is loaded from elsewhere. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

/** Below the folder, with forward slashes. */
export function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
}

/** One line for each that does not; empty when all do. */
export function checkSite(folder: string): string[] {
  const files = new Set(filesOf(folder));
  const places = new Map<string, ReadonlySet<string>>();
  const placesOf = (page: string) => {
    const known = places.get(page);
    if (known !== undefined) return known;
    const text = readFileSync(join(folder, page), 'utf8');
    const found = new Set([...text.matchAll(/\b(?:id|name)="([^"]+)"/g)].map(([, id = '']) => decoded(id)));
    places.set(page, found);
    return found;
  };
  const complaints = new Set<string>();
  for (const page of files) {
    if (!page.endsWith('.html')) continue;
    const text = readFileSync(join(folder, page), 'utf8');
    for (const [, what = '', link = ''] of text.matchAll(/<(?:a|link|script|img)\b[^>]*?\b(href|src)="([^"]*)"/g)) {
      if (/^(https?:)?\/\//.test(link)) {
        if (what === 'src') complaints.add(`${page} loads ${link}`);
        continue;
      }
      if (/^(mailto|data|javascript):/.test(link) || link === '') continue;
      const [path = '', place] = link.split('#');
      const target = path === '' ? page : normalize(join(dirname(page), decodeURIComponent(decoded(path))));
      if (!files.has(target)) complaints.add(`${page} leads to ${link}, which is not there`);
      else if (
        place !== undefined &&
        place !== '' &&
        target.endsWith('.html') &&
        !placesOf(target).has(decodeURIComponent(decoded(place)))
      )
        complaints.add(`${page} leads to ${link}, a place that is not in that page`);
    }
    for (const [, link = ''] of text.matchAll(/<link\b[^>]*?rel="stylesheet"[^>]*?href="(https?:[^"]*)"/g))
      complaints.add(`${page} loads ${link}`);
  }
  return [...complaints].sort();
}

export function decoded(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}
