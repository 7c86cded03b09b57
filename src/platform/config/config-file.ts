/**
 * A configuration file, read and parsed once: TOML, or JSON or YAML as its ending says. Whoever needs it again gets the parsed file, because
 * the path may name a pipe, which is empty the second time.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parse as parseToml, TomlError } from 'smol-toml';
import type { YAMLParseError } from 'yaml';
import { CcxError } from '../../encoding/ccx-error.ts';

export interface ConfigFile {
  readonly path: string;
  /** By `section.key` in lower case: the reference's keys are case-insensitive. */
  readonly values: ReadonlyMap<string, unknown>;
  /** The tables that `values` were found in, and empty ones, by their lower-case keys. */
  readonly tables: ReadonlySet<string>;
  /** Where a key of an entry of a list of tables stands; `index` counts from 0. Undefined for unusual spellings. */
  lineOfEntryKey(list: string, index: number, key: string): number | undefined;
  /** What a key is called in the file, with its line, where it is not called as here. */
  readonly names?: ReadonlyMap<string, string>;
}

/** 72 files, which a program whose configuration is no YAML does without. */
const yaml = (): typeof import('yaml') => createRequire(import.meta.url)('yaml');

/** Sections need three; a YAML alias can make a table contain itself. */
const depthMax = 64;

interface ReadOptions {
  /** An empty JSON file says nothing, as an empty file in the other formats does; the reference takes it for a torn one. */
  readonly emptyJson?: 'taken' | 'refused';
  /** What is in it, for who has read it already: it may be a pipe. */
  readonly text?: string;
}

/** Throws `CONFIG_FILE`. */
export function readConfigFile(path: string, { emptyJson = 'taken', text: given }: ReadOptions = {}): ConfigFile {
  let text: string;
  let document: Record<string, unknown>;
  let doing = '';
  const values = new Map<string, unknown>();
  const tables = new Set<string>();
  try {
    text = (given ?? readFileSync(path, 'utf8')).replace(/^\uFEFF/, '');
    // In the reference's words, which its own tests look for.
    doing = 'While parsing config: ';
    document = emptyJson === 'taken' && text.trim() === '' ? {} : parseDocument(path, text);
    refuseDepth(document, depthMax);
  } catch (error) {
    const reason = syntaxErrorPlace(error) ?? (error instanceof Error ? error.message : String(error));
    // Without the error as its cause: the parsers quote the line, and that may hold a password.
    throw new CcxError(`fatal error config file: ${doing}${path}: ${reason}`, {
      code: 'CONFIG_FILE',
      category: 'configuration',
      hint: 'check that the file exists, is readable and is TOML (or JSON or YAML, as its name says)',
    });
  }
  const walk = (prefix: string, table: Record<string, unknown>) => {
    for (const [name, value] of Object.entries(table)) {
      const key = (prefix === '' ? name : `${prefix}.${name}`).toLowerCase();
      if (isTable(value)) {
        tables.add(key);
        walk(key, value);
      } else {
        values.set(key, value);
      }
    }
  };
  walk('', document);
  const lineOfEntryKey = formatOf(path) === 'toml' ? lineInToml : lineInYaml;
  return { path, values, tables, lineOfEntryKey: (list, index, key) => lineOfEntryKey(text, { list, index, key }) };
}

/** As it stands in the file: a role's key in the role's section. */
export function keyInFile(key: string, section: string | undefined): string {
  return section === undefined ? key : `${section}.${key}`;
}

export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function refuseDepth(value: unknown, depthLeft: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depthLeft === 0) throw new Error(`its values nest more than ${depthMax} deep, or one contains itself`);
  for (const inner of Object.values(value)) refuseDepth(inner, depthLeft - 1);
}

function formatOf(path: string): 'toml' | 'json' | 'yaml' {
  const ending = /\.(json|ya?ml)$/i.exec(path)?.[1]?.toLowerCase();
  return ending === undefined ? 'toml' : ending === 'json' ? 'json' : 'yaml';
}

const parsers: Readonly<Record<ReturnType<typeof formatOf>, (text: string) => unknown>> = {
  toml: parseToml,
  json: JSON.parse,
  // `<<` merges tables, as in the reference's library.
  yaml: (text) => yaml().parse(text, { logLevel: 'error', merge: true }),
};

/** An empty file says nothing; anything but a table of sections is an error. */
function parseDocument(path: string, text: string): Record<string, unknown> {
  const document = parsers[formatOf(path)](text) ?? {};
  if (!isTable(document)) throw new Error('no sections in it');
  return document;
}

/** Where a parser stopped, without its words; undefined for what is no error of syntax. */
function syntaxErrorPlace(error: unknown): string | undefined {
  if (error instanceof TomlError) return `no TOML at line ${error.line}, column ${error.column}`;
  if (error instanceof Error && error.name === 'YAMLParseError') {
    const { linePos, code } = error as YAMLParseError;
    const place = linePos?.[0];
    return place === undefined ? 'no YAML' : `no YAML at line ${place.line}, column ${place.col} (${code})`;
  }
  if (error instanceof ReferenceError) {
    if (error.message.startsWith('Excessive alias count'))
      return 'its aliases stand for too much: each repeats others many times; write the values out';
    // What begins with an asterisk is an alias; a password may.
    return 'no YAML: an alias has no anchor; put a value that begins with * in quotes';
  }
  if (!(error instanceof SyntaxError)) return undefined;
  const [, line, column] = /\(line (\d+) column (\d+)\)/.exec(error.message) ?? [];
  if (error.message === 'Unexpected end of JSON input') return 'no JSON: it ends too early, or is empty';
  return line === undefined ? 'no JSON' : `no JSON at line ${line}, column ${column}`;
}

interface EntryKey {
  readonly list: string;
  readonly index: number;
  readonly key: string;
}

/** JSON is YAML. */
function lineInYaml(text: string, { list, index, key }: EntryKey): number | undefined {
  const { LineCounter, parseDocument: parseYamlDocument, isNode } = yaml();
  const lineCounter = new LineCounter();
  const node = parseYamlDocument(text, { lineCounter }).getIn([...list.split('.'), index, key], true);
  return isNode(node) && node.range ? lineCounter.linePos(node.range[0]).line : undefined;
}

/** TOML's parser does not say, so that its lines are looked through. */
function lineInToml(text: string, { list, index, key }: EntryKey): number | undefined {
  let entry = -1;
  let isInside = false;
  for (const [at, line] of text.split('\n').entries()) {
    const header = /^\s*\[\[?\s*([^\]]+?)\s*\]/.exec(line)?.[1]?.replaceAll(/["'\s]/g, '');
    if (header !== undefined) {
      isInside = header === list || header.startsWith(`${list}.`);
      if (header === list) entry += 1;
      if (entry === index && header === `${list}.${key}`) return at + 1;
    }
    if (isInside && entry === index && /^\s*["']?([\w.-]+)/.exec(line)?.[1]?.split('.')[0] === key) return at + 1;
  }
  return undefined;
}
