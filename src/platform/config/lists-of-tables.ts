/** Lists of tables of a file, `[[receivers]]`: entries with keys of their own, checked more strictly than sections are. */
import { readFileSync } from 'node:fs';
import { CcxError } from '../../encoding/ccx-error.ts';
import { type ConfigFile, isTable, keyInFile } from './config-file.ts';
import type { ListSpec, OptionTable } from './options.ts';
import { parseOption } from './parse-value.ts';

type Entry = Readonly<Record<string, unknown>>;

/**
 * By the names of the table's lists, in the file below `section`. Unlike an unknown key elsewhere, one inside an entry is an error: a
 * receiver with a word misspelt would notify somebody else.
 */
export function readLists(
  table: OptionTable,
  file: ConfigFile | undefined,
  section: string | undefined,
): Record<string, readonly Entry[]> {
  return Object.fromEntries(
    Object.entries(table.lists ?? {}).map(([name, spec]) => [
      name,
      file === undefined ? [] : readList(spec, file, keyInFile(name, section)),
    ]),
  );
}

function readList(spec: ListSpec, file: ConfigFile, path: string): readonly Entry[] {
  const key = path.toLowerCase();
  const given = file.values.has(key) ? file.values.get(key) : [];
  // A table says `[receivers]` where `[[receivers]]` was meant: none of it would count.
  if (file.tables.has(key) || !Array.isArray(given) || !given.every(isTable)) {
    throw listError(`${path} in ${file.path} is no list of tables`, `write each as [[${path}]]`);
  }
  const entries = given.map((entry, index) => readEntry(entry, spec, { file, path, index }));
  refuseSameNames(entries, spec, { file, path });
  return entries;
}

interface EntryPlace {
  readonly file: ConfigFile;
  readonly path: string;
  /** From 0. */
  readonly index: number;
}

function nameOf(key: string, { file, path, index }: EntryPlace): string {
  const line = file.lineOfEntryKey(path, index, key);
  return `${key} of [[${path}]] ${index + 1} in ${file.path}${line === undefined ? '' : `, line ${line}`}`;
}

function readEntry(entry: Entry, spec: ListSpec, place: EntryPlace): Entry {
  // What has a default, and was set to just that, was set all the same.
  const values: Record<string, unknown> = { given: Object.keys(entry) };
  const given = new Map(Object.entries(entry));
  for (const [key, option] of Object.entries(spec.options)) {
    const raw = option.secret === true ? rawSecret(given, key, place) : given.get(key);
    values[key] = raw === undefined ? option.default : parseOption(option, raw, nameOf(key, place));
    const isMissing = raw === undefined || (typeof raw === 'string' && raw.trim() === '');
    if (isMissing && option.required === true) {
      throw listError(`[[${place.path}]] ${place.index + 1} in ${place.file.path} has no ${key}`, `give it a ${key}`);
    }
    given.delete(key);
    if (option.secret === true) {
      // Whoever works with it for long reads it again.
      values[`${key}_file`] = raw === undefined ? '' : (given.get(`${key}_file`) ?? '');
      given.delete(`${key}_file`);
    }
  }
  for (const key of given.keys()) {
    throw listError(`unknown key ${nameOf(key, place)}`, `known: ${Object.keys(spec.options).join(', ')}`);
  }
  return values;
}

/** As it is given, or from the file that `<key>_file` names. */
function rawSecret(given: ReadonlyMap<string, unknown>, key: string, place: EntryPlace): unknown {
  const fileKey = `${key}_file`;
  if (!given.has(fileKey)) return given.get(key);
  const where = nameOf(fileKey, place);
  if (given.has(key)) throw listError(`${where} is given beside ${key}`, `give only one of ${key} and ${fileKey}`);
  const path = given.get(fileKey);
  if (typeof path !== 'string') throw listError(`${where} is no path of a file`, `change ${where}`);
  return readSecretFile(path, where);
}

/** A name tells entries apart: in logs, and in what is remembered of them. */
function refuseSameNames(entries: readonly Entry[], spec: ListSpec, place: Omit<EntryPlace, 'index'>): void {
  const seen = new Map<unknown, number>();
  if (spec.options['name'] === undefined) return;
  for (const [index, { name }] of entries.entries()) {
    const before = seen.get(name);
    if (before !== undefined && name !== '') {
      throw listError(
        `${nameOf('name', { ...place, index })} is the one of [[${place.path}]] ${before + 1}: ${JSON.stringify(name)}`,
        'give each a name of its own',
      );
    }
    seen.set(name, index);
  }
}

function listError(message: string, hint: string): CcxError {
  return new CcxError(message, { code: 'CONFIG_LIST', category: 'configuration', hint });
}

export function readSecretFile(path: string, where: string): string {
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
