/** Every sample of the rule, made into an archive and evaluated. */
import { testRuleSamples } from '../../../../../test/support/rule-samples.ts';
import { samples } from './samples.ts';

testRuleSamples(samples);
