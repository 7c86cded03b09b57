/** `ccx rules list`: the rules of this program, with the risk of what they find, whom it is for, and which run under which setting. */
import type { Command } from 'commander';
import { readConfigFile } from '../../platform/config/config-file.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { CATALOG_CONTENT_ROOT } from '../../rules/catalog/content-root.ts';
import { allRules } from '../../rules/catalog/index-of-rules.ts';
import { loadContent } from '../../rules/content/load-content.ts';
import { dataPipelineRole } from '../../services/data-pipeline/service.ts';
import { registerCoverage } from './coverage.ts';
import { type ListedRule, listRules } from './list-rules.ts';

const { options } = dataPipelineRole;
/** No other setting of the data pipeline has to be there or right for a look at the rules. */
const selectionOptions = {
  ...options,
  options: {
    'rules.provisional': options.options['rules.provisional'],
    'rules.tutorial': options.options['rules.tutorial'],
  },
};

export function register(program: Command, input: ProcessInput): void {
  const group = program
    .command('rules')
    .description('the rules: list, with risk, who reads of them, and which run; coverage over the stored reports');
  group
    .command('list')
    .description('every rule of this program, in the order of reports')
    .option(
      '--config <file>',
      `TOML file of ccx data-pipeline or ccx all-in-one that says which rules run (also ${options.envPrefix}_CONFIG_FILE)`,
    )
    .option('--json', 'one JSON object per line')
    .action(async (flags: { config?: string; json?: boolean }) => {
      const { settings, origin } = loadSelection(flags.config, input.env);
      const { directory } = await loadContent(CATALOG_CONTENT_ROOT);
      const origins = { provisional: origin['rules.provisional']!, tutorial: origin['rules.tutorial']! };
      const listed = listRules(allRules, directory, settings.rules, origins);
      for (const rule of listed)
        process.stdout.write(`${flags.json === true ? JSON.stringify(rule) : linesOf(rule)}\n`);
    });
  registerCoverage(group, input);
}

function loadSelection(named: string | undefined, env: ProcessInput['env']) {
  const path = named ?? (env[`${options.envPrefix}_CONFIG_FILE`] || undefined);
  if (path === undefined) return loadConfig(selectionOptions, { env });
  const file = readConfigFile(path);
  // The file of the all-in-one process has a section for each role.
  const hasSection = [...file.values.keys()].some((key) => key.startsWith(`${options.name}.`));
  return loadConfig(selectionOptions, { env, file, ...(hasSection ? { section: options.name } : {}) });
}

const riskNames = ['', 'low', 'moderate', 'important', 'critical'];

function linesOf({ module, audience, errorKeys, on, why }: ListedRule): string {
  const head = [on ? 'on ' : 'off', audience.padEnd(8), module, ...(why === '' ? [] : [`(${why})`])].join('  ');
  const keys = errorKeys.map(({ key, totalRisk }) => {
    const risk = totalRisk === null ? 'without content' : `${totalRisk} ${riskNames[totalRisk] ?? ''}`;
    return `     ${key}  ${risk}`;
  });
  return [head, ...keys].join('\n');
}
