/**
 * One option table plus its sources → one typed configuration. Precedence: flag, environment, file, default. An empty environment value
 * counts as unset. Unknown keys of a file are warned about, never fatal: new configuration must run on old code too.
 */
import { readFileSync } from 'node:fs';
import { parse as parseToml, TomlError } from 'smol-toml';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import { CcxError } from '../../encoding/ccx-error.ts';
import {
  type ConfigOf,
  environmentName,
  type OptionSpec,
  type OptionTable,
  type SettingsOf,
  settingsOf,
} from './options.ts';
import { parseOption } from './parse-value.ts';

export interface ConfigSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Values of flags by option key (`section.key`), as text. */
  readonly flags?: Readonly<Record<string, string | boolean | undefined>>;
  /** Path of a TOML file (JSON or YAML by its extension); absent means none. */
  readonly file?: string;
}

export interface LoadedConfig<Table extends OptionTable> {
  readonly config: ConfigOf<Table>;
  /** The same for the role's service. */
  readonly settings: SettingsOf<Table>;
  /** Where each value came from, for `--show-configuration` and error texts. */
  readonly origin: Readonly<Record<string, 'flag' | 'environment' | 'file' | 'default'>>;
  readonly warnings: readonly string[];
}

export function loadConfig<Table extends OptionTable>(table: Table, sources: ConfigSources): LoadedConfig<Table> {
  const fileValues = sources.file === undefined ? undefined : readConfigFile(sources.file);
  const config: Record<string, unknown> = {};
  const origin: Record<string, 'flag' | 'environment' | 'file' | 'default'> = {};
  const warnings: string[] = [];

  for (const [key, spec] of Object.entries(table.options)) {
    const found = findValue(table, key, spec, sources, fileValues);
    config[key] = found === undefined ? spec.default : parseOption(spec, found.raw, found.where);
    origin[key] = found?.origin ?? 'default';
  }
  for (const key of fileValues?.keys() ?? []) {
    if (!Object.keys(table.options).some((known) => known.toLowerCase() === key)) {
      warnings.push(`${sources.file}: unknown key ${key} is ignored`);
    }
  }
  const loaded = config as ConfigOf<Table>;
  return { config: loaded, settings: settingsOf(table, loaded), origin, warnings };
}

interface FoundValue {
  readonly raw: unknown;
  readonly origin: 'flag' | 'environment' | 'file';
  readonly where: string;
}

function findValue(
  table: OptionTable,
  key: string,
  spec: OptionSpec,
  sources: ConfigSources,
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
      return { raw: readSecretFile(path, `${name}_FILE`), origin: 'environment', where: `${name}_FILE` };
    }
  }
  if (inFile) return { raw: fileValues?.get(lowerKey), origin: 'file', where: `${key} in ${sources.file}` };
  return undefined;
}

function readSecretFile(path: string, where: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw new CcxError(`${where} names a file that cannot be read: ${path}`, {
      code: 'CONFIG_SECRET_FILE',
      category: 'configuration',
      cause,
      hint: `change ${where}`,
    });
  }
}

/** Keys of a file as `section.key`, lower case (the reference's keys are case-insensitive). */
function readConfigFile(path: string): Map<string, unknown> {
  let document: Record<string, unknown>;
  let doing = '';
  try {
    const text = readFileSync(path, 'utf8');
    // In the reference's words, which its own tests look for.
    doing = 'While parsing config: ';
    document = parseDocument(path, text);
  } catch (cause) {
    const where = syntaxErrorPlace(cause);
    const reason = where ?? (cause instanceof Error ? cause.message : String(cause));
    throw new CcxError(`fatal error config file: ${doing}${path}: ${reason}`, {
      code: 'CONFIG_FILE',
      category: 'configuration',
      // The parsers quote the line, and that may hold a password.
      ...(where === undefined ? { cause } : {}),
      hint: 'check that the file exists, is readable and is TOML (or JSON or YAML, as its name says)',
    });
  }
  const values = new Map<string, unknown>();
  const walk = (prefix: string, node: Record<string, unknown>) => {
    for (const [name, value] of Object.entries(node)) {
      const key = prefix === '' ? name : `${prefix}.${name}`;
      if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)) {
        walk(key, value as Record<string, unknown>);
      } else {
        values.set(key.toLowerCase(), value);
      }
    }
  };
  walk('', document);
  return values;
}

/** Where a parser stopped, without its words; undefined for what is no error of syntax. */
function syntaxErrorPlace(error: unknown): string | undefined {
  if (error instanceof TomlError) return `no TOML at line ${error.line}, column ${error.column}`;
  if (error instanceof YAMLParseError) {
    const place = error.linePos?.[0];
    return place === undefined ? 'no YAML' : `no YAML at line ${place.line}, column ${place.col} (${error.code})`;
  }
  // What begins with an asterisk is an alias; a password may.
  if (error instanceof ReferenceError)
    return 'no YAML: an alias has no anchor; put a value that begins with * in quotes';
  if (!(error instanceof SyntaxError)) return undefined;
  const [, line, column] = /\(line (\d+) column (\d+)\)/.exec(error.message) ?? [];
  return line === undefined ? 'no JSON' : `no JSON at line ${line}, column ${column}`;
}

/** An empty file says nothing; anything but a table of sections is an error. */
function parseDocument(path: string, text: string): Record<string, unknown> {
  const format = /\.(json|ya?ml)$/.exec(path)?.[1];
  const document: unknown =
    format === undefined
      ? parseToml(text)
      : format === 'json'
        ? JSON.parse(text)
        : parseYaml(text, { logLevel: 'error' });
  if (document === null || document === undefined) return {};
  if (typeof document !== 'object' || Array.isArray(document)) throw new Error('no sections in it');
  return document as Record<string, unknown>;
}
