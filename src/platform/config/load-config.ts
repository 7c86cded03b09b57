/**
 * One option table plus its sources → one typed configuration. Precedence: flag, environment, file, default. An empty environment value
 * counts as unset. Unknown keys of a file are warned about, never fatal: new configuration must run on old code too.
 */
import { type ConfigFile, keyInFile, readConfigFile } from './config-file.ts';
import { readLists, readSecretFile } from './lists-of-tables.ts';
import {
  type ConfigOf,
  environmentName,
  type ListsOf,
  type OptionSpec,
  type OptionTable,
  type SettingsOf,
  settingsOf,
} from './options.ts';
import { parseOption } from './parse-value.ts';

interface ConfigSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Values of flags by option key (`section.key`), as text. */
  readonly flags?: Readonly<Record<string, string | boolean | undefined>>;
  /** A file that was read, or the path of one; absent means none. What several tables read is read once: it may be a pipe. */
  readonly file?: ConfigFile | string;
  /** Only what stands below it in the file counts, `[section.…]`: a file that several roles share. */
  readonly section?: string;
  /** Sections of the file that others read. */
  readonly othersSections?: readonly string[];
}

export interface LoadedConfig<Table extends OptionTable> {
  readonly config: ConfigOf<Table>;
  /** The same for the role's service. */
  readonly settings: SettingsOf<Table>;
  readonly lists: ListsOf<Table>;
  /** Where each value came from, for `--show-configuration` and error texts. */
  readonly origin: Readonly<Record<string, 'flag' | 'environment' | 'file' | 'default'>>;
  /** Where secrets came from files, by key: whoever works with one for long reads it again, since it may be rotated. */
  readonly secretFiles: Readonly<Record<string, SecretFile>>;
  readonly warnings: readonly string[];
}

interface SecretFile {
  /** Environment name of the secret, without the `_FILE` that names the file. */
  readonly setting: string;
  readonly path: string;
}

export function loadConfig<Table extends OptionTable>(table: Table, sources: ConfigSources): LoadedConfig<Table> {
  const file = typeof sources.file === 'string' ? readConfigFile(sources.file) : sources.file;
  const fileValues = file === undefined ? undefined : ownValues(file.values, sources);
  const config: Record<string, unknown> = {};
  const origin: Record<string, 'flag' | 'environment' | 'file' | 'default'> = {};
  const secretFiles: Record<string, SecretFile> = {};
  const warnings: string[] = [];

  for (const [key, spec] of Object.entries(table.options)) {
    const found = findValue(table, key, spec, { ...sources, file }, fileValues);
    config[key] = found === undefined ? spec.default : parseOption(spec, found.raw, found.where);
    origin[key] = found?.origin ?? 'default';
    if (found?.secretFile !== undefined) secretFiles[key] = found.secretFile;
  }
  const lists = readLists(table, file, sources.section);
  const known = new Set([...Object.keys(table.options), ...Object.keys(lists)].map((key) => key.toLowerCase()));
  for (const [key, value] of fileValues ?? []) {
    // A section that is there without anything in it.
    if (!known.has(key) && value !== null)
      warnings.push(`${file?.path}: unknown key ${keyInFile(key, sources.section)} is ignored`);
  }
  const loaded = config as ConfigOf<Table>;
  const settings = settingsOf(table, loaded);
  return { config: loaded, settings, lists: lists as ListsOf<Table>, origin, secretFiles, warnings };
}

/** The keys of its section, without it; or all but those of others' sections. */
function ownValues(
  values: ReadonlyMap<string, unknown>,
  { section, othersSections = [] }: ConfigSources,
): ReadonlyMap<string, unknown> {
  const below = (key: string, name: string) => key.startsWith(`${name.toLowerCase()}.`);
  if (section !== undefined) {
    const own = [...values].filter(([key]) => below(key, section));
    return new Map(own.map(([key, value]) => [key.slice(section.length + 1), value]));
  }
  return new Map([...values].filter(([key]) => !othersSections.some((name) => below(key, name))));
}

interface FoundValue {
  readonly raw: unknown;
  readonly origin: 'flag' | 'environment' | 'file';
  readonly where: string;
  readonly secretFile?: SecretFile;
}

function findValue(
  table: OptionTable,
  key: string,
  spec: OptionSpec,
  sources: Omit<ConfigSources, 'file'> & { readonly file: ConfigFile | undefined },
  fileValues: ReadonlyMap<string, unknown> | undefined,
): FoundValue | undefined {
  const flag = sources.flags?.[key];
  if (flag !== undefined) return { raw: flag, origin: 'flag', where: `--${spec.flag ?? key}` };

  const lowerKey = key.toLowerCase();
  const inFile = fileValues?.has(lowerKey) ?? false;
  const counts =
    spec.envCounts === 'in-file' ? inFile : spec.envCounts === 'known-key' ? inFile || fileValues === undefined : true;
  if (counts) {
    const name = environmentName(table, key);
    const text = sources.env[name];
    if (text !== undefined && text !== '') return { raw: text, origin: 'environment', where: name };
    const path = spec.secret === true ? sources.env[`${name}_FILE`] : undefined;
    if (path !== undefined && path !== '') {
      const where = `${name}_FILE`;
      return { raw: readSecretFile(path, where), origin: 'environment', where, secretFile: { setting: name, path } };
    }
  }
  const raw = fileValues?.get(lowerKey);
  // In JSON and YAML a key may be there without a value. Source: the reference's library, Viper.
  if (raw === undefined || raw === null) return undefined;
  const name = sources.file?.names?.get(lowerKey) ?? keyInFile(key, sources.section);
  return { raw, origin: 'file', where: `${name} in ${sources.file?.path}` };
}
