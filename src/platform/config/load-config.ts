/**
 * One option table plus its sources → one typed configuration. Precedence: flag, environment, file, default. An empty environment value
 * counts as unset. Unknown keys of a file are warned about, never fatal: new configuration must run on old code too.
 */
import { readFileSync } from 'node:fs';
import { parse as parseToml, TomlError } from 'smol-toml';
import { isNode, LineCounter, parse as parseYaml, parseDocument as parseYamlDocument, YAMLParseError } from 'yaml';
import { CcxError } from '../../encoding/ccx-error.ts';
import {
  type ConfigOf,
  environmentName,
  type ListSpec,
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
  /** Path of a TOML file (JSON or YAML by its extension); absent means none. */
  readonly file?: string;
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
  readonly warnings: readonly string[];
}

export function loadConfig<Table extends OptionTable>(table: Table, sources: ConfigSources): LoadedConfig<Table> {
  const fileValues = sources.file === undefined ? undefined : ownValues(readConfigFile(sources.file), sources);
  const config: Record<string, unknown> = {};
  const origin: Record<string, 'flag' | 'environment' | 'file' | 'default'> = {};
  const warnings: string[] = [];

  for (const [key, spec] of Object.entries(table.options)) {
    const found = findValue(table, key, spec, sources, fileValues);
    config[key] = found === undefined ? spec.default : parseOption(spec, found.raw, found.where);
    origin[key] = found?.origin ?? 'default';
  }
  const lists = readLists(table, sources, fileValues);
  const known = new Set([...Object.keys(table.options), ...Object.keys(lists)].map((key) => key.toLowerCase()));
  for (const key of fileValues?.keys() ?? []) {
    const path = sources.section === undefined ? key : `${sources.section}.${key}`;
    if (!known.has(key)) warnings.push(`${sources.file}: unknown key ${path} is ignored`);
  }
  const loaded = config as ConfigOf<Table>;
  return { config: loaded, settings: settingsOf(table, loaded), lists: lists as ListsOf<Table>, origin, warnings };
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

/** Unlike an unknown key elsewhere, one inside an entry is an error: a receiver with a word misspelt would notify somebody else. */
function readLists(
  table: OptionTable,
  { file = '', section }: ConfigSources,
  fileValues: ReadonlyMap<string, unknown> | undefined,
): Record<string, readonly Record<string, unknown>[]> {
  return Object.fromEntries(
    Object.entries(table.lists ?? {}).map(([name, spec]) => {
      const path = section === undefined ? name : `${section}.${name}`;
      const entries = fileValues?.get(name.toLowerCase()) ?? [];
      if (!Array.isArray(entries) || entries.some((entry) => typeof entry !== 'object' || entry === null)) {
        throw listError(`${path} in ${file} is no list of tables`, `write each as [[${path}]]`);
      }
      return [name, entries.map((entry, index) => readEntry(entry, spec, { file, path, index }))];
    }),
  );
}

interface EntryPlace {
  readonly file: string;
  readonly path: string;
  /** From 0. */
  readonly index: number;
}

function readEntry(entry: Record<string, unknown>, spec: ListSpec, place: EntryPlace): Record<string, unknown> {
  const nameOf = (key: string) => {
    const line = lineOfEntryKey(place, key);
    return `${key} of [[${place.path}]] ${place.index + 1} in ${place.file}${line === undefined ? '' : `, line ${line}`}`;
  };
  const values: Record<string, unknown> = {};
  const given = new Map(Object.entries(entry));
  for (const [key, option] of Object.entries(spec.options)) {
    const fileKey = option.secret === true ? `${key}_file` : undefined;
    const path = fileKey === undefined ? undefined : given.get(fileKey);
    const raw = path === undefined ? given.get(key) : readSecretFile(String(path), nameOf(fileKey!));
    if (raw === undefined && option.required === true) {
      throw listError(`[[${place.path}]] ${place.index + 1} in ${place.file} has no ${key}`, `give it a ${key}`);
    }
    values[key] = raw === undefined ? option.default : parseOption(option, raw, nameOf(key));
    given.delete(key);
    if (fileKey !== undefined) given.delete(fileKey);
  }
  for (const key of given.keys()) {
    throw listError(`unknown key ${nameOf(key)}`, `known: ${Object.keys(spec.options).join(', ')}`);
  }
  return values;
}

function listError(message: string, hint: string): CcxError {
  return new CcxError(message, { code: 'CONFIG_LIST', category: 'configuration', hint });
}

/** Where a key of an entry stands. TOML's parser does not say, so that its lines are looked through; undefined for unusual spellings. */
function lineOfEntryKey({ file, path, index }: EntryPlace, key: string): number | undefined {
  const text = readFileSync(file, 'utf8');
  if (/\.(json|ya?ml)$/.test(file)) {
    const lineCounter = new LineCounter();
    const node = parseYamlDocument(text, { lineCounter }).getIn([...path.split('.'), index, key], true);
    return isNode(node) && node.range ? lineCounter.linePos(node.range[0]).line : undefined;
  }
  let entry = -1;
  let isInside = false;
  for (const [at, line] of text.split('\n').entries()) {
    const header = /^\s*\[\[?\s*([^\]]+?)\s*\]/.exec(line)?.[1]?.replaceAll(/["'\s]/g, '');
    if (header !== undefined) {
      isInside = header === path || header.startsWith(`${path}.`);
      if (header === path) entry += 1;
      if (entry === index && header === `${path}.${key}`) return at + 1;
    }
    if (isInside && entry === index && /^\s*["']?([\w.-]+)/.exec(line)?.[1]?.split('.')[0] === key) return at + 1;
  }
  return undefined;
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
