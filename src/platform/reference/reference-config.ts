/**
 * How the drop-in programs find and read their configuration, by the rules of the reference's library: a variable names a file whose
 * extension does not count; without the variable a file called `config` may lie in the current folder; what nothing sets is empty, zero and
 * false; Clowder is above all of them. Source: notification-writer.md 2, notification-service.md 3.
 */
import { existsSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import type { Logger } from 'pino';
import { CcxError } from '../../encoding/ccx-error.ts';
import { type Clock, createSystemClock } from '../clock/clock.ts';
import { readConfigFile } from '../config/config-file.ts';
import { type LoadedConfig, loadConfig } from '../config/load-config.ts';
import type { OptionSpec, OptionTable, OptionType } from '../config/options.ts';
import type { ProcessInput } from '../config/process-input.ts';
import { earlyLog, failureFields, type LoggingConfig, openReferenceLog } from './reference-log.ts';

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

interface ReferenceConfigFile {
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

/** A role's table as its drop-in program has it: `specOf` says how each key differs, and what both programs have in common is done here. */
export function programTable<Table extends OptionTable>(
  role: Table,
  name: string,
  specOf: (key: string, spec: OptionSpec) => OptionSpec,
): Table {
  const specs = Object.entries(role.options).map(([key, spec]) => [key, specOf(key, spec)] as const);
  const options: Record<string, OptionSpec> = Object.fromEntries(specs);
  // The database is what the reference's keys name, whatever else the environment holds.
  options['storage.url'] = { ...options['storage.url']!, env: `${role.envPrefix}__STORAGE__URL` };
  options['bus.kind'] = { ...options['bus.kind']!, default: 'kafka' };
  options['bus.brokers'] = { ...options['bus.brokers']!, default: [] };
  return { ...role, name, options };
}

interface ReferenceConfigSources {
  readonly env: ProcessInput['env'];
  readonly file: ReferenceConfigFile;
  /** The section of the brokers, which Clowder overrides. */
  readonly section: 'broker' | 'kafka_broker';
  /** Values by option key, above environment and file. */
  readonly flags?: Readonly<Record<string, string>>;
}

/** `lines` are for standard output, before anything else. Throws `CONFIG_*`. */
export async function loadReferenceConfig<Table extends OptionTable>(
  table: Table,
  { env, file, section, flags = {} }: ReferenceConfigSources,
): Promise<
  Pick<OpenProgram, 'clowderCa'> & { readonly loaded: LoadedConfig<Table>; readonly lines: readonly string[] }
> {
  const sources = {
    env,
    ...(file.path === undefined ? {} : { file: readConfigFile(file.path, { emptyJson: 'refused' }) }),
  };
  const loaded = loadConfig(table, { ...sources, flags });
  const path = env['ACG_CONFIG'];
  if (path === undefined) return { loaded, lines: ['Clowder is disabled'], clowderCa: undefined };
  // It checks the document by a schema, whose library is slow to load.
  const { readClowder } = await import('./clowder.ts');
  const topic = (loaded.config as Readonly<Record<string, unknown>>)[`${section}.topic`];
  const { values, lines, ca } = readClowder(path, section, String(topic));
  return { loaded: loadConfig(table, { ...sources, flags: { ...flags, ...values } }), lines, clowderCa: ca };
}

/** A configuration as the program uses it, and what is to be warned about. */
interface SettledConfig {
  readonly config: LoggingConfig;
  readonly warnings: readonly string[];
}

/** What every operation of a drop-in program has beside its configuration. */
export interface OpenProgram {
  readonly env: ProcessInput['env'];
  readonly log: Logger;
  readonly clock: Clock;
  /** The brokers' certificate authority as Clowder gives it; PEM. */
  readonly clowderCa: string | undefined;
}

/** Prints what the reference prints before anything else. Undefined where the configuration cannot be loaded: that is logged then. */
export async function openReferenceProgram<Table extends OptionTable, Settled extends SettledConfig>(
  table: Table,
  { env, ...sources }: Omit<ReferenceConfigSources, 'file'>,
  settle: (loaded: LoadedConfig<Table>) => Settled,
): Promise<(OpenProgram & Settled) | undefined> {
  const early = earlyLog(table.name);
  try {
    const file = findReferenceConfig(env[`${table.envPrefix}_CONFIG_FILE`], process.cwd());
    early.info({ filename: file.name }, 'parsing configuration file');
    const { loaded, lines, clowderCa } = await loadReferenceConfig(table, { env, file, ...sources });
    for (const line of lines) process.stdout.write(`${line}\n`);
    const settled = settle(loaded);
    const log = openReferenceLog(table.name, settled.config, env);
    for (const warning of settled.warnings) log.warn(warning);
    const clock = createSystemClock(undefined, (error) =>
      log.error(failureFields(error), 'a task that is done again and again failed; it is tried again'),
    );
    return { ...settled, env, log, clock, clowderCa };
  } catch (error) {
    early.error(failureFields(error), 'Load configuration');
    return undefined;
  }
}
