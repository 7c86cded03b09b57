/** The rules of an installation for `ccx rules`: the catalogue's with the settings that say which run, and those of packs. */
import type { RuleContentDirectory } from '../../contracts/rule-content.ts';
import { readConfigFile } from '../../platform/config/config-file.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { CATALOG_CONTENT_ROOT } from '../../rules/catalog/content-root.ts';
import { allRules } from '../../rules/catalog/index-of-rules.ts';
import { loadContent } from '../../rules/content/load-content.ts';
import type { Rule, RuleMark, RuleSelection } from '../../rules/engine/rule.ts';
import { noPacks, type PackSet } from '../../rules/packs/pack-set.ts';
import { dataPipelineRole } from '../../services/data-pipeline/service.ts';

const { options } = dataPipelineRole;
/** No other setting of the data pipeline has to be there or right for a look at the rules. */
const rulesOptions = {
  ...options,
  options: {
    'rules.provisional': options.options['rules.provisional'],
    'rules.tutorial': options.options['rules.tutorial'],
    'rules.packs': options.options['rules.packs'],
  },
};

/** Flags of every command that looks at the rules. */
export interface RulesFlags {
  readonly config?: string;
  readonly pack?: readonly string[];
  readonly json?: boolean;
}

export const configFlag = [
  '--config <file>',
  `TOML file of ccx data-pipeline or ccx all-in-one that says which rules run (also ${options.envPrefix}_CONFIG_FILE)`,
] as const;

/** Commander's way of an option that may be given more than once. */
export const packFlag = [
  '--pack <folder>',
  'a rule pack to use in place of those of rules.packs; may be given more than once',
  (folder: string, before: readonly string[] | undefined) => [...(before ?? []), folder],
] as const;

export interface InstalledRules {
  readonly rules: readonly Rule[];
  readonly selection: RuleSelection;
  /** Where the value of a setting came from: `environment`, `file`, `default`. */
  readonly origins: Readonly<Record<RuleMark, string>>;
  readonly packs: PackSet;
  /** With the texts of the packs. */
  readonly content: RuleContentDirectory;
}

/** Rejects with code `RULE_PACK_INVALID` for packs with faults. */
export async function installedRules(flags: RulesFlags, env: ProcessInput['env']): Promise<InstalledRules> {
  const { settings, origin } = loadSelection(flags.config, env);
  const { directory } = await loadContent(CATALOG_CONTENT_ROOT);
  const folders = flags.pack ?? settings.rules.packs;
  const { provisional, tutorial } = settings.rules;
  const selection = { provisional, tutorial };
  const origins = { provisional: origin['rules.provisional']!, tutorial: origin['rules.tutorial']! };
  if (folders.length === 0) return { rules: allRules, selection, origins, packs: noPacks, content: directory };
  const { PackStore } = await import('../../rules/packs/pack-set.ts');
  const { withPackContent } = await import('../../rules/packs/pack-content.ts');
  const { catalogueNames } = await import('../../rules/catalog/catalogue-names.ts');
  const { set: packs } = await PackStore.open(folders, await catalogueNames());
  return { rules: allRules, selection, origins, packs, content: withPackContent(directory, packs.packs) };
}

function loadSelection(named: string | undefined, env: ProcessInput['env']) {
  const path = named ?? (env[`${options.envPrefix}_CONFIG_FILE`] || undefined);
  if (path === undefined) return loadConfig(rulesOptions, { env });
  const file = readConfigFile(path);
  // The file of the all-in-one process has a section for each role.
  const hasSection = [...file.values.keys()].some((key) => key.startsWith(`${options.name}.`));
  return loadConfig(rulesOptions, { env, file, ...(hasSection ? { section: options.name } : {}) });
}
