/** Where a property test begins: `CCX_TEST_SEED`, else anywhere. A test says it in its title, so that what it found can be had again. */
import { randomInt } from 'node:crypto';
import { readProcessInput } from '../../src/platform/config/process-input.ts';

export function testSeed(): number {
  const given = Number(readProcessInput().env['CCX_TEST_SEED'] || Number.NaN);
  return Number.isSafeInteger(given) ? given : randomInt(2 ** 31);
}
