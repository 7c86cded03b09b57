/** `npm run docs` makes a site that works without a network, whose links lead somewhere, with every rule and every diagram in it. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { checkDiagrams } from '../../scripts/site/check-diagrams.ts';
import { checkSite } from '../../scripts/site/check-site.ts';
import { makeSite } from '../../scripts/site/make-site.ts';
import { allRules } from '../../src/rules/catalog/index-of-rules.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let site: string;
before(async () => {
  site = join(temporaryFolder(), 'site');
  await makeSite(site);
});

test('every link leads to a page, and to a place that is in it; nothing is loaded from elsewhere', () => {
  assert.deepEqual(checkSite(site), []);
});

test('class, sequence and database diagrams are there, and Mermaid understands them', async () => {
  const { counts, complaints } = await checkDiagrams(site);
  assert.deepEqual(complaints, []);
  // Services, and each port that docs/architecture.md names.
  assert.ok((counts['classDiagram'] ?? 0) >= 8, JSON.stringify(counts));
  assert.ok((counts['sequence'] ?? 0) >= 1 && (counts['er'] ?? 0) >= 1, JSON.stringify(counts));
});

test('what draws them lies in the site', () => {
  assert.match(readFileSync(join(site, 'assets/custom.js'), 'utf8'), /mermaid\.js/);
  assert.ok(existsSync(join(site, 'assets/mermaid.js')));
});

test('each rule has a page that shows its error keys, and the catalogue leads to it', () => {
  const index = readFileSync(join(site, 'documents/Rule_catalogue.html'), 'utf8');
  for (const { module, errorKeys } of allRules) {
    const name = module.slice(module.lastIndexOf('.') + 1);
    const page = readFileSync(join(site, `documents/${name}.html`), 'utf8');
    for (const key of errorKeys) assert.ok(page.includes(`<code>${key}</code>`), `${key} in the page of ${name}`);
    assert.ok(index.includes(`href="${name}.html"`), `${name} in the catalogue`);
  }
});

test('each source has what is documented in it, and its text', () => {
  const page = readFileSync(join(site, 'interfaces/src_platform_bus_bus.Bus.html'), 'utf8');
  assert.match(page, /href="\.\.\/source\/src\/platform\/bus\/bus\.ts\.html#L\d+"/);
  assert.match(readFileSync(join(site, 'source/src/platform/bus/bus.ts.html'), 'utf8'), /export interface Bus /);
});
