/** `ccx rules coverage`: over the stored reports, how often each rule ran, what it found, and for want of what it could not look. */
import type { Command } from 'commander';
import { parseOrgId } from '../../contracts/identifiers.ts';
import { inputError } from '../../encoding/ccx-error.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { addDatabaseLocation, locateDatabase } from '../../platform/database/database-location.ts';
import { allRules } from '../../rules/catalog/index-of-rules.ts';
import { type Coverage, CoverageTally, type RuleCoverage, type SilentKind, silentKinds } from './tally-coverage.ts';

/** Inputs that are named in a line; --json has more. */
const inputsShownMax = 3;

interface CoverageFlags {
  readonly organization?: string;
  readonly newest?: boolean;
  readonly json?: boolean;
}

export function registerCoverage(group: Command, input: ProcessInput): void {
  const command = group
    .command('coverage')
    .description('over the stored reports: in how many each rule ran, hit, was skipped for want of what, or failed')
    .option('--organization <number>', 'only reports of this organization')
    .option('--newest', 'of each cluster only its newest report: how it is now')
    .option('--json', 'as one JSON object')
    .addHelpText('after', helpText);
  addDatabaseLocation(command).action(async (flags: CoverageFlags) => {
    const orgId = flags.organization === undefined ? undefined : readOrganization(flags.organization);
    const { connectDatabase } = await import('../../platform/database/connect-database.ts');
    const { readSeenReports } = await import('./read-coverage.ts');
    const url = await locateDatabase(command, input);
    const database = connectDatabase({ url, applicationName: 'ccx rules coverage' });
    try {
      const tally = new CoverageTally(allRules.map(({ module }) => module));
      for await (const report of readSeenReports(database, { orgId, newest: flags.newest })) tally.add(report);
      const coverage = tally.coverage();
      for (const line of flags.json === true ? [JSON.stringify(coverage)] : linesOf(coverage))
        process.stdout.write(`${line}\n`);
    } finally {
      await database.close();
    }
  });
}

function readOrganization(text: string): number {
  const orgId = parseOrgId(text);
  if (orgId !== undefined) return orgId;
  throw inputError('RULES_COVERAGE_ORGANIZATION', `${text} is no organization: it is named by its number`);
}

const helpText = `
Columns, each a number of reports:
  reports  for which the rule was selected: it was in the catalogue of rules that made the report
  ran      that it looked at; with a broken file among what it needs, only if it found something all the same
  hit      in which it found something
  skipped  of clusters that have no such thing as it looks at
  missing  that lack what every cluster has, although the operator said that it gathered it (INPUT_MISSING)
  broken   with a file that could not be read, or was over the budget (INPUT_BROKEN)
  failed   over which the rule itself failed (RULE_FAILED)
  left     for which it was left out, since it had taken a process down (RULE_LEFT_OUT)
First come rules that were kept from looking most often (the last four columns), then those that were skipped, then those that
hit most often; below a rule stands what it lacked. Reports that another writer stored say only what was found.

Exit codes:
  0  done, also where no report is stored
  1  wrong use, or the database failed or has not the tables of this release
`;

const columns = {
  skipped: { title: 'skipped', says: 'skipped for want of' },
  inputMissing: { title: 'missing', says: 'missing' },
  inputBroken: { title: 'broken', says: 'broken' },
  failed: { title: 'failed', says: 'failed over' },
  leftOut: { title: 'left', says: 'left out over' },
} satisfies Record<SilentKind, unknown>;

function linesOf({ reports, notDescribed, unreadable, rules }: Coverage): string[] {
  if (reports === 0) return ['no report is stored'];
  const notes = [
    ...(notDescribed > 0 ? [`of ${notDescribed} nothing is known beyond what was found`] : []),
    ...(unreadable > 0 ? [`${unreadable} cannot be read`] : []),
  ];
  const titles = ['reports', 'ran', 'hit', ...silentKinds.map((kind) => columns[kind].title)];
  const widths = titles.map((title) => Math.max(title.length, String(reports).length));
  const row = (cells: readonly (string | number)[], name: string) =>
    `${cells.map((cell, index) => String(cell).padStart(widths[index]!)).join('  ')}  ${name}`;
  return [
    [`${reports} reports`, ...notes].join('; '),
    '',
    row(titles, 'rule'),
    ...rules.flatMap((rule) => [
      row([rule.reports, rule.ran, rule.hit, ...silentKinds.map((kind) => rule[kind].reports)], rule.module),
      ...silentKinds
        .flatMap((kind) => linesOfInputs(rule, kind))
        .map((line) =>
          row(
            titles.map(() => ''),
            `  ${line}`,
          ),
        ),
    ]),
  ];
}

function linesOfInputs(rule: RuleCoverage, kind: SilentKind): string[] {
  const { inputs, others } = rule[kind];
  if (inputs.length === 0) return [];
  const shown = inputs.slice(0, inputsShownMax).map(({ name, reports }) => `${name} (${reports})`);
  const left = inputs.slice(inputsShownMax).reduce((sum, { reports }) => sum + reports, others);
  return [`${columns[kind].says} ${[...shown, ...(left > 0 ? [`others (${left})`] : [])].join(', ')}`];
}
