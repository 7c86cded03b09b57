/** Every sample of every rule, made into an archive and evaluated. */
import { describe } from 'node:test';
import { testRuleSamples } from '../../../test/support/rule-samples.ts';
import { allSamples } from './index-of-samples.ts';

for (const samples of allSamples) describe(samples.rule.module, () => testRuleSamples(samples));
