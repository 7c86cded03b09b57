/** A dead runner costs the rule that it was in; outside any rule or fact it costs one more attempt, then the archive. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerRunnerFailure, type RunnerFailureAnswer } from './answer-runner-failure.ts';

const limits = { killedRulesMax: 2, killedPackRulesMax: 2, killedFactsMax: 2, unexplainedDeathsMax: 2 };
const inRule = 'rule ccx_rules_ocp.external.rules.slow';

const inPackRule = 'rule ccx_packs.ours.SLOW';

const rows: readonly [
  string,
  { code: string; retryable?: boolean; label?: string },
  /** Rules that were killed so far; facts, or deaths outside both. */
  [number, number],
  RunnerFailureAnswer,
][] = [
  [
    'a rule that loops',
    { code: 'RUNNER_TIMEOUT', label: inRule },
    [0, 0],
    { kind: 'without-rule', rule: inRule.slice(5) },
  ],
  [
    'a rule that eats memory',
    { code: 'RUNNER_MEMORY', label: inRule },
    [1, 0],
    { kind: 'without-rule', rule: inRule.slice(5) },
  ],
  [
    'a rule that ends the process',
    { code: 'RUNNER_CRASHED', label: inRule },
    [0, 0],
    { kind: 'without-rule', rule: inRule.slice(5) },
  ],
  ['one rule too many', { code: 'RUNNER_TIMEOUT', label: inRule }, [2, 0], { kind: 'give-up' }],
  [
    'a rule of a pack',
    { code: 'RUNNER_MEMORY', label: inPackRule },
    [0, 0],
    { kind: 'without-pack-rule', rule: inPackRule.slice(5) },
  ],
  [
    'one rule of a pack too many',
    { code: 'RUNNER_TIMEOUT', label: inPackRule },
    [1, 0],
    { kind: 'without-packs', rule: inPackRule.slice(5) },
  ],
  [
    'files that are too costly',
    { code: 'RUNNER_MEMORY', label: 'fact nodes' },
    [2, 1],
    { kind: 'without-fact', fact: 'nodes' },
  ],
  ['one fact too many', { code: 'RUNNER_TIMEOUT', label: 'fact nodes' }, [0, 2], { kind: 'give-up' }],
  ['a first death while opening', { code: 'RUNNER_MEMORY', label: 'open the archive' }, [0, 0], { kind: 'again' }],
  ['a second death while opening', { code: 'RUNNER_MEMORY', label: 'open the archive' }, [0, 1], { kind: 'give-up' }],
  ['a death before any step', { code: 'RUNNER_CRASHED' }, [0, 0], { kind: 'again' }],
  [
    'an archive that cannot be opened',
    { code: 'ARCHIVE_TRUNCATED', label: 'open the archive' },
    [0, 1],
    { kind: 'give-up' },
  ],
  ['a bug while opening', { code: 'RUNNER_JOB_FAILED', label: 'open the archive' }, [0, 1], { kind: 'give-up' }],
  ['no runner at the moment', { code: 'RUNNER_UNAVAILABLE', retryable: true }, [0, 1], { kind: 'later' }],
  ['too many waiting', { code: 'RUNNER_QUEUE_FULL', retryable: true }, [0, 5], { kind: 'later' }],
];

for (const [title, failure, [killedRules, others], expected] of rows) {
  test(`${title}: ${expected.kind}`, () => {
    const facts = { retryable: false, label: undefined, ...failure };
    const soFar = { killedRules, killedPackRules: killedRules, killedFacts: others, unexplainedDeaths: others };
    assert.deepEqual(answerRunnerFailure(facts, soFar, limits), expected);
  });
}
