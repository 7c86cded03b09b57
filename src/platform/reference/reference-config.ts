/**
 * How the drop-in programs find and read their configuration, by the rules of the reference's library: a variable names a file whose
 * extension does not count; without the variable a file called `config` may lie in the current folder; what nothing sets is empty, zero and
 * false; Clowder is above all of them. Source: notification-writer.md 2, notification-service.md 3.
 */
import { existsSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { CcxError } from '../../encoding/ccx-error.ts';
import { type LoadedConfig, loadConfig } from '../config/load-config.ts';
import type { OptionSpec, OptionTable, OptionType } from '../config/options.ts';
import type { ProcessInput } from '../config/process-input.ts';

/** In the order in which they are looked for. */
const extensions = [
  'json',
  'toml',
  'yaml',
  'yml',
  'properties',
  'props',
  'prop',
  'hcl',
  'tfvars',
  'dotenv',
  'env',
  'ini',
];
/** Those that can be read. */
const readable = new Set(['json', 'toml', 'yaml', 'yml']);

export interface ReferenceConfigFile {
  /** As the reference's first log line names it. */
  readonly name: string;
  /** Absent: there is no file, and the environment alone counts. */
  readonly path?: string;
}

/**
 * `named` is the variable's value, undefined where it does not exist; an empty one names a file that cannot be found. Throws `CONFIG_FILE`.
 * A name without a folder is looked for in the current one, where the reference never finds it.
 */
export function findReferenceConfig(named: string | undefined, currentFolder: string): ReferenceConfigFile {
  if (named === undefined) return { name: 'config', ...found(join(currentFolder, 'config')) };
  const base = basename(named, extname(named));
  const folder = dirname(named);
  const { path } = base === '' ? {} : found(join(currentFolder, folder === '' ? '.' : folder, base), folder);
  if (path !== undefined) return { name: base, path };
  throw new CcxError(`fatal error config file: Config File "${base}" Not Found in "[${folder}]"`, {
    code: 'CONFIG_FILE',
    category: 'configuration',
    hint: `the file's folder is looked through for ${base} with the extension json, toml, yaml or yml`,
  });
}

/** An absolute folder stays absolute. */
function found(base: string, folder = '.'): { readonly path?: string } {
  const start = folder.startsWith('/') ? join(folder, basename(base)) : base;
  const extension = extensions.find((candidate) => existsSync(`${start}.${candidate}`));
  if (extension === undefined) return {};
  const path = `${start}.${extension}`;
  if (readable.has(extension)) return { path };
  throw new CcxError(`fatal error config file: ${path}: configuration in the format ${extension} cannot be read`, {
    code: 'CONFIG_FILE',
    category: 'configuration',
    hint: 'write it as toml, json or yaml',
  });
}

/** What a key of the reference is where nothing sets it, by its type. */
export const zeroValues: { readonly [Type in OptionType]: OptionSpec['default'] } = {
  string: '',
  integer: 0,
  boolean: false,
  duration: 0,
  bytes: 0,
  list: [],
};

interface ReferenceConfigSources {
  readonly env: ProcessInput['env'];
  readonly file: ReferenceConfigFile;
  /** The section of the brokers, which Clowder overrides. */
  readonly section: 'broker' | 'kafka_broker';
  /** Values by option key, above environment and file. */
  readonly flags?: Readonly<Record<string, string>>;
}

interface ReferenceConfig<Table extends OptionTable> {
  readonly loaded: LoadedConfig<Table>;
  /** For standard output, before anything else. */
  readonly lines: readonly string[];
  /** The brokers' certificate authority as Clowder gives it; PEM. */
  readonly clowderCa: string | undefined;
}

/** Throws `CONFIG_*`. */
export async function loadReferenceConfig<Table extends OptionTable>(
  table: Table,
  { env, file, section, flags = {} }: ReferenceConfigSources,
): Promise<ReferenceConfig<Table>> {
  const sources = { env, file: file.path };
  const loaded = loadConfig(table, { ...sources, flags });
  const path = env['ACG_CONFIG'];
  if (path === undefined) return { loaded, lines: ['Clowder is disabled'], clowderCa: undefined };
  // It checks the document by a schema, whose library is slow to load.
  const { clowderOverrides, readClowder } = await import('./clowder.ts');
  const { document, lines } = readClowder(path);
  if (document === undefined) return { loaded, lines, clowderCa: undefined };
  const topic = (loaded.config as Readonly<Record<string, unknown>>)[`${section}.topic`];
  const overrides = clowderOverrides(document, section, String(topic));
  return {
    loaded: loadConfig(table, { ...sources, flags: { ...flags, ...overrides.values } }),
    lines: [...lines, ...overrides.notices],
    clowderCa: overrides.ca,
  };
}
