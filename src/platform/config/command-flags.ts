/**
 * The flags and the help text of one role's option table, for `ccx <role>`. Used by every service's `commands.ts`; parsing of values
 * stays with `loadConfig`, so a flag and an environment variable accept the same text.
 */
import { type Command, Option } from 'commander';
import { type LoadedConfig, loadConfig } from './load-config.ts';
import { environmentName, type OptionSpec, type OptionTable } from './options.ts';
import { formatDuration } from './parse-value.ts';
import type { ProcessInput } from './process-input.ts';

/** Adds `--config FILE`, one flag per option that has one, and the list of environment names below the help. */
export function addTableOptions(command: Command, table: OptionTable): Command {
  command.option('--config <file>', `TOML file with the settings below (also ${table.envPrefix}_CONFIG_FILE)`);
  for (const [key, spec] of Object.entries(table.options)) {
    if (spec.flag === undefined) continue;
    const value = spec.type === 'boolean' ? `--${spec.flag} [value]` : `--${spec.flag} <${spec.type}>`;
    command.addOption(new Option(value, `${spec.description} (${key})`));
  }
  command.addHelpText('after', () => environmentHelp(table));
  return command;
}

/** Environment, file and flags of one invocation → the role's configuration. Throws `CcxError` `CONFIG_*` with the setting's name. */
export function loadCommandConfig<Table extends OptionTable>(
  command: Command,
  table: Table,
  input: ProcessInput,
): LoadedConfig<Table> {
  const given = command.opts<Record<string, string | boolean | undefined>>();
  const flags: Record<string, string | boolean | undefined> = {};
  for (const [key, spec] of Object.entries(table.options)) {
    if (spec.flag !== undefined) flags[key] = given[camelCase(spec.flag)];
  }
  const file = given['config'] ?? (input.env[`${table.envPrefix}_CONFIG_FILE`] || undefined);
  return loadConfig(table, { env: input.env, flags, ...(typeof file === 'string' ? { file } : {}) });
}

function environmentHelp(table: OptionTable): string {
  const lines = Object.entries(table.options).map(
    ([key, spec]) =>
      `  ${environmentName(table, key)}\n      ${spec.description} (${spec.type}${describeDefault(spec)})`,
  );
  return `\nEnvironment:\n${lines.join('\n')}\n`;
}

/** As a person would write it. */
function describeDefault(spec: OptionSpec): string {
  if (spec.secret === true) return '; secret: also from the file that *_FILE names';
  return `, default ${spec.type === 'duration' ? formatDuration(Number(spec.default)) : JSON.stringify(spec.default)}`;
}

/** How commander names the value of `--some-flag`. */
function camelCase(flag: string): string {
  return flag.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
