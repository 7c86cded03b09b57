/**
 * The flags and the help text of one role's option table, for `ccx <role>`. Used by every service's `commands.ts`; parsing of values
 * stays with `loadConfig`, so a flag and an environment variable accept the same text.
 */
import { type Command, CommanderError, Option } from 'commander';
import { type ConfigFile, readConfigFile } from './config-file.ts';
import { type LoadedConfig, loadConfig } from './load-config.ts';
import { camelCase, environmentName, type ListSpec, type OptionSpec, type OptionTable } from './options.ts';
import { formatDuration, shownText } from './parse-value.ts';
import type { ProcessInput } from './process-input.ts';

/** Adds `--config FILE`, one flag per option that has one, and the list of environment names below the help. */
export function addTableOptions(command: Command, table: OptionTable): Command {
  command.option('--config <file>', `TOML file with the settings below (also ${table.envPrefix}_CONFIG_FILE)`);
  command.option('--show-configuration', 'print the settings in force and where each comes from, and end');
  for (const [key, spec] of Object.entries(table.options)) {
    if (spec.flag === undefined) continue;
    const value = spec.type === 'boolean' ? `--${spec.flag} [value]` : `--${spec.flag} <${spec.type}>`;
    command.addOption(new Option(value, `${spec.description} (${key})`));
  }
  command.addHelpText('after', () => environmentHelp(table));
  return command;
}

/** What others read of the file that a command is given. */
interface SharedFile<Table extends OptionTable> {
  /** Sections that other tables read. */
  readonly sections: readonly string[];
  /** What is to be shown of them beside the command's own settings. Throws where the command would not start with them. */
  describe(loaded: FileConfig<Table>): { readonly lines: readonly ConfigLine[]; readonly warnings: readonly string[] };
}

interface FileConfig<Table extends OptionTable> extends LoadedConfig<Table> {
  /** Every setting in force and its origin, secrets masked. */
  readonly lines: readonly ConfigLine[];
  /** As it was read: another reader gets nothing where it is a pipe. */
  readonly file: ConfigFile | undefined;
}

/**
 * Environment, file and flags of one invocation → the role's configuration. Throws `CcxError` `CONFIG_*` with the setting's name; with
 * `--show-configuration` prints it, secrets masked, and ends the command as `--help` does.
 */
export function loadCommandConfig<Table extends OptionTable>(
  command: Command,
  table: Table,
  input: ProcessInput,
  how: {
    readonly shared?: SharedFile<Table>;
    /** How the file is read, where it may be of a kind of its own. */
    readonly read?: (path: string) => ConfigFile;
  } = {},
): FileConfig<Table> {
  const { shared, read = readConfigFile } = how;
  const given = command.opts<Record<string, string | boolean | undefined>>();
  const flags: Record<string, string | boolean | undefined> = {};
  for (const [key, spec] of Object.entries(table.options)) {
    if (spec.flag !== undefined) flags[key] = given[camelCase(spec.flag)];
  }
  const named = given['config'] ?? (input.env[`${table.envPrefix}_CONFIG_FILE`] || undefined);
  const file = typeof named === 'string' ? read(named) : undefined;
  const sources = { env: input.env, flags, ...(file === undefined ? {} : { file }) };
  const config = loadConfig(table, { ...sources, othersSections: shared?.sections ?? [] });
  const loaded = { ...config, file, lines: describeConfig(table, config) };
  if (given['showConfiguration'] === true) {
    const others = shared?.describe(loaded);
    showConfiguration([...loaded.lines, ...(others?.lines ?? [])], [...loaded.warnings, ...(others?.warnings ?? [])]);
  }
  return loaded;
}

function showConfiguration(lines: readonly ConfigLine[], warnings: readonly string[]): never {
  const width = Math.max(...lines.map(({ key }) => key.length));
  for (const { key, value, origin } of lines) {
    process.stdout.write(`${[key.padEnd(width), value, `(${origin})`].filter((part) => part !== '').join('  ')}\n`);
  }
  for (const warning of warnings) process.stderr.write(`${warning}\n`);
  throw new CommanderError(0, 'commander.configuration', 'shown');
}

export interface ConfigLine {
  readonly key: string;
  /** Empty for a secret of the program's own. */
  readonly value: string;
  readonly origin: string;
}

/** Every key, its value and where it came from; secrets only as set or not set. */
export function describeConfig<Table extends OptionTable>(table: Table, loaded: LoadedConfig<Table>): ConfigLine[] {
  const values: Readonly<Record<string, unknown>> = loaded.config;
  const options = Object.entries(table.options).map(([key, spec]) => {
    const origin = loaded.origin[key] ?? 'default';
    // That it is set would read as if somebody had set it.
    const isOwnSecret = spec.secret === true && origin === 'default' && isSet(values[key]);
    return { key, value: isOwnSecret ? '' : shown(spec, values[key]), origin };
  });
  return [
    ...options,
    ...Object.entries(table.lists ?? {}).flatMap(([name, spec]) => listLines(name, spec, loaded.lists)),
  ];
}

function listLines(name: string, spec: ListSpec, lists: Readonly<Record<string, unknown>>): ConfigLine[] {
  const entries = (lists[name] ?? []) as readonly Readonly<Record<string, unknown>>[];
  return entries.flatMap((entry, index) =>
    Object.entries(spec.options).map(([key, option]) => ({
      key: `${name}[${index}].${key}`,
      value: shown(option, entry[key]),
      origin: 'file',
    })),
  );
}

function shown({ secret, type }: Pick<OptionSpec, 'secret' | 'type'>, value: unknown): string {
  if (secret === true) return isSet(value) ? '(set)' : '(not set)';
  return type === 'duration' ? formatDuration(Number(value)) : shownText(value);
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0);
}

function environmentHelp(table: OptionTable): string {
  const lines = Object.entries(table.options).map(
    ([key, spec]) =>
      `  ${environmentName(table, key)}\n      ${spec.description} (${spec.type}${describeDefault(spec)})`,
  );
  return `\nEnvironment:\n${lines.join('\n')}\n${listsHelp(table)}`;
}

function listsHelp(table: OptionTable): string {
  const lists = Object.entries(table.lists ?? {}).map(([name, { description, options }]) => {
    const keys = Object.entries(options).map(([key, spec]) => {
      const secret = spec.secret === true ? `; secret: also from the file that ${key}_file names` : '';
      return `      ${key}: ${spec.description} (${spec.type}${spec.required === true ? ', required' : ''}${secret})`;
    });
    return [`  [[${name}]]  ${description}`, ...keys].join('\n');
  });
  return lists.length === 0 ? '' : `\nTables of the file, any number of each:\n${lists.join('\n')}\n`;
}

/** As a person would write it. */
function describeDefault(spec: OptionSpec): string {
  if (spec.secret === true) return '; secret: also from the file that *_FILE names';
  return `, default ${spec.type === 'duration' ? formatDuration(Number(spec.default)) : JSON.stringify(spec.default)}`;
}
