/**
 * What a runner does with archives by chance: each ends in a report that readers take and people can read, or in an error with a code of its own; no rule and no reader of
 * facts throws. The same archives at each run; `CCX_TEST_SEED` gives others, or one that failed, `CCX_TEST_FUZZED` says how many.
 * `npm run soak` sends ten thousand through the whole data pipeline.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzedArchive } from '../../../../test/faults/fuzz/fuzzed-archive.ts';
import type { Report } from '../../../contracts/report.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { defaultArchiveLimits } from '../../../platform/archive/archive.ts';
import { readProcessInput } from '../../../platform/config/process-input.ts';
import { CATALOG_CONTENT_ROOT } from '../../../rules/catalog/content-root.ts';
import { allRules } from '../../../rules/catalog/index-of-rules.ts';
import { createTemplateCompiler } from '../../../rules/content/compile-template.ts';
import { loadContent } from '../../../rules/content/load-content.ts';
import { renderReport } from '../../../rules/content/render-report.ts';
import { runRulesOverArchive } from './run-rules-over-archive.ts';

const { env } = readProcessInput();
const seed = env['CCX_TEST_SEED'] ?? 'f0221e5a';
const count = Number(env['CCX_TEST_FUZZED'] ?? 150);

const { directory } = await loadContent(CATALOG_CONTENT_ROOT);
const contents = Object.values(directory.rules);
const compile = createTemplateCompiler();

/** Answers whether there is a report. */
async function run(own: string): Promise<boolean> {
  const { archive, gatheredAt, clusterId } = fuzzedArchive(own);
  const job = {
    packed: archive,
    limits: defaultArchiveLimits,
    clusterId,
    gatheredAt,
    selection: { provisional: true, tutorial: true },
    packs: undefined,
    leaveOut: [],
    leaveOutFacts: [],
  };
  try {
    const { failures, reportText } = await runRulesOverArchive(job, allRules, { label: () => undefined });
    assert.deepEqual(failures, []);
    for (const { component, key, details } of (JSON.parse(reportText) as Report).reports) {
      const item = { component, key, details: JSON.stringify(details) };
      assert.equal(renderReport(contents, item, compile).kind, 'rendered', key);
    }
    return true;
  } catch (error) {
    if (!(error instanceof CcxError)) throw error;
    assert.match(error.code, /^ARCHIVE_[A-Z_]+$/);
    return false;
  }
}

test(`${count} archives by chance end in reports or in codes (CCX_TEST_SEED=${seed})`, async () => {
  let reports = 0;
  for (let index = 1; index <= count; index += 1) {
    // The first one is the seed itself, so that what failed is run alone.
    const own = index === 1 ? seed : `${seed}-${index}`;
    try {
      if (await run(own)) reports += 1;
    } catch (error) {
      const { deeds } = fuzzedArchive(own);
      throw new Error(`CCX_TEST_SEED=${own}: ${String(error)}\n${deeds.join('\n')}`, { cause: error });
    }
  }
  // Most can be opened, or nothing would be learnt of the rules; some cannot.
  if (count >= 100) assert.ok(reports > count / 2 && reports < count, `${reports} reports`);
});
