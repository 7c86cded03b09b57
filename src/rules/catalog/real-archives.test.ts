/**
 * The rules on two real archives, hit for hit, as a person checked them: `test/fixtures/real-archives/README.md` says how each follows from
 * the archive. The archives lie beside the repository or nowhere.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { openArchive } from '../../platform/archive/open-archive.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { createTemplateCompiler } from '../content/compile-template.ts';
import { loadContent } from '../content/load-content.ts';
import { renderReport } from '../content/render-report.ts';
import { evaluateArchive } from '../engine/evaluate-archive.ts';
import { selectRules } from '../engine/rule.ts';
import { CATALOG_CONTENT_ROOT } from './content-root.ts';
import { allRules } from './index-of-rules.ts';

const archives = new URL('../../../../shared/data/archives/', import.meta.url);
const checked = new URL('../../../test/fixtures/real-archives/', import.meta.url);
const absent = existsSync(archives) ? false : 'the folder of real inputs is not beside the repository';
const rules = selectRules(allRules, { provisional: true, tutorial: false });

interface Checked {
  /** By module: the reason and the details of the report's item. */
  readonly skipped: Readonly<Record<string, string>>;
  readonly evaluations: readonly { readonly gatheredAt: string; readonly hits: readonly unknown[] }[];
}

const moduleOf = (component: string) => component.replace(/\.report$/, '');

for (const name of ['rapid-recommendations', 'insights-operator-docs-sample']) {
  test(`${name} fires what a person found in it, says the same, and nothing else`, { skip: absent }, async () => {
    const { skipped, evaluations } = JSON.parse(readFileSync(new URL(`${name}.json`, checked), 'utf8')) as Checked;
    const files = await openArchive(readFileSync(new URL(`${name}.tar.gz`, archives)));
    const { directory } = await loadContent(CATALOG_CONTENT_ROOT);
    const compile = createTemplateCompiler();
    for (const { gatheredAt, hits } of evaluations) {
      const now = new Date(gatheredAt);
      const { report, failures, brokenFiles } = evaluateArchive({ files, rules, now, clock: createManualClock() });
      assert.deepEqual([failures, brokenFiles], [[], []]);
      const found = report.reports.map(({ component, key, details: { type, error_key, ...details } }) => {
        assert.deepEqual([type, error_key], ['rule', key]);
        return { rule: moduleOf(component), key, details };
      });
      assert.deepEqual(found, hits, gatheredAt);
      const silent = report.skips.map((skip) => [moduleOf(skip.rule_fqdn), `${skip.reason} ${skip.details}`.trim()]);
      assert.deepEqual(Object.fromEntries(silent), skipped);
      for (const hit of report.reports) {
        const item = { ...hit, details: JSON.stringify(hit.details) };
        assert.equal(renderReport(Object.values(directory.rules), item, compile).kind, 'rendered', hit.key);
      }
    }
  });
}
