/** Entry of the rule runners: loaded in child processes by the runner pool, with the whole catalog of rules. */
import type { RunJob } from '../../../platform/runner-pool/runner-job.ts';
import { allRules } from '../../../rules/catalog/index-of-rules.ts';
import type { RuleRun, RuleRunResult } from './rule-run.ts';
import { runRulesOverArchive } from './run-rules-over-archive.ts';

export const runJob: RunJob<RuleRun, RuleRunResult> = (run, context) => runRulesOverArchive(run, allRules, context);
