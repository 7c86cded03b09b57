/** Every sample of the rule, made into an archive and evaluated; and more pools than their messages have room for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluateSample, SAMPLE_NOW, sampleFiles, testRuleSamples } from '../../../../../test/support/rule-samples.ts';
import { chain, type Edit, withFile } from '../../sample.ts';
import { machinePoolCheck } from './rule.ts';
import { samples } from './samples.ts';

testRuleSamples(samples);

test('even when every pool is degraded and says a lot, all of them are told', () => {
  const conditions = ['Degraded', 'NodeDegraded', 'RenderDegraded', 'Updated', 'Updating'].map((type) => ({
    type,
    status: 'True',
    message: 'x'.repeat(30_000),
  }));
  const edits = Array.from(
    { length: 40 },
    (_, index): Edit =>
      withFile(`config/machineconfigpools/pool-${index}.json`, {
        metadata: { name: `pool-${index}` },
        status: { conditions },
      }),
  );
  const { report } = evaluateSample([machinePoolCheck], sampleFiles({ edit: chain(...edits) }), SAMPLE_NOW);
  assert.equal((report.reports[0]?.details['machines'] as unknown[] | undefined)?.length, 40);
});
