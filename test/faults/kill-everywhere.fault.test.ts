/**
 * A process that is killed anywhere loses nothing and tells nothing twice: a seeded tenth of the series in `kill-series.ts`, each time
 * another one. The seed is in the first test's title; `CCX_TEST_SEED` gives the same one again. `npm run soak` runs whole series.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { whyNoInstallation } from '../support/data-folder.ts';
import { createTemplate, type Template } from './faulty-installation.ts';
import { runKillScenario } from './kill-scenario.ts';
import { killSeries, someOf } from './kill-series.ts';

/** Scenarios mostly wait for processes to start; more at once only makes each slower. */
const concurrency = 3;
const share = 0.1;
const seed = readProcessInput().env['CCX_TEST_SEED'] ?? createSystemClock().uuid().slice(0, 8);

describe(`killed at some of its points (CCX_TEST_SEED=${seed})`, { concurrency, skip: whyNoInstallation() }, () => {
  let template: Template;
  before(async () => {
    template = await createTemplate();
  });
  after(() => template.remove());

  for (const scenario of someOf(killSeries(seed), seed, share)) {
    test(`nothing is lost and nothing is told under a second id: ${scenario.name}`, async () => {
      const { complaints } = await runKillScenario(template, scenario);
      assert.deepEqual(complaints, []);
    });
  }
});
