/**
 * `npm run rule-data`: which facts of the rule catalog were looked up more than half a year ago, and when each was. Ends with 1 when there is
 * one. Not a test: what is right today must not fail one day because nobody touched it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { createSystemClock } from '../src/platform/clock/clock.ts';
import { CATALOG_CONTENT_ROOT } from '../src/rules/catalog/content-root.ts';
import { isOutdated, ruleDataAges } from './rule-data-age.ts';

const now = createSystemClock().now();
/** The tables of the content service, which stand there as well, are no facts. */
const files = readdirSync(CATALOG_CONTENT_ROOT).filter((name) => name.endsWith('.yaml') && name !== 'config.yaml');

for (const file of files.sort()) {
  for (const age of ruleDataAges(file, parse(readFileSync(join(CATALOG_CONTENT_ROOT, file), 'utf8')), now)) {
    const told = age.days === undefined ? 'does not say when it was looked up' : `${age.days} days old`;
    process.stdout.write(`${isOutdated(age) ? 'OLD ' : '    '}${age.what}: ${told}\n`);
    if (isOutdated(age)) process.exitCode = 1;
  }
}
