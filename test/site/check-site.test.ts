/** What is looked for in the site is found: a page, a place and a file that are not there, and what comes from elsewhere. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkSite } from '../../scripts/site/check-site.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

function siteOf(pages: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'below'));
  for (const [name, text] of Object.entries(pages)) writeFileSync(join(folder, name), text);
  return folder;
}

test('links that lead somewhere are no complaint', () => {
  const folder = siteOf({
    'index.html':
      '<a href="below/other.html#x&amp;y">a</a><a href="#here">b</a><h1 id="here"></h1><a href="https://example.com">c</a>',
    'below/other.html': '<a href="../index.html">a</a><h1 id="x&amp;y"></h1><img src="picture.svg">',
    'below/picture.svg': '<svg/>',
  });
  assert.deepEqual(checkSite(folder), []);
});

test('each that does not is named with its page', () => {
  const folder = siteOf({
    'index.html':
      '<a href="gone.html">a</a><a href="below/other.html#gone">b</a><a href="#gone">c</a><script src="https://cdn.example/x.js"></script>',
    'below/other.html': '<img src="gone.svg"><link rel="stylesheet" href="https://cdn.example/x.css">',
  });
  assert.deepEqual(checkSite(folder), [
    'below/other.html leads to gone.svg, which is not there',
    'below/other.html loads https://cdn.example/x.css',
    'index.html leads to #gone, a place that is not in that page',
    'index.html leads to below/other.html#gone, a place that is not in that page',
    'index.html leads to gone.html, which is not there',
    'index.html loads https://cdn.example/x.js',
  ]);
});
