/**
 * All packs of an installation together: read, held against each other and the catalogue, and read again when their files change. A change
 * with a fault leaves the last good packs in force. Who asks for `refresh`, and how often, is the business of the service that has them.
 */
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CcxError } from '../../encoding/ccx-error.ts';
import { type LoadedPackRule, type Pack, type PackFault, type PackRule, packsInvalid } from './pack.ts';
import { type ReadPackOptions, readPack } from './read-pack.ts';

export interface CatalogueNames extends ReadPackOptions {
  /** Error keys and short names of the built-in rules: no pack may use them. */
  readonly taken: readonly string[];
}

/** What the rule runners need of all packs: plain data, told apart by its version. */
export interface PackProgramSource {
  /** Changes with whatever a rule does, and with the versions of the packs. */
  readonly version: string;
  readonly rules: readonly PackRule[];
}

export interface PackSet {
  readonly packs: readonly Pack[];
  readonly source: PackProgramSource;
  readonly warnings: readonly string[];
}

export const noPacks: PackSet = { packs: [], source: { version: '', rules: [] }, warnings: [] };

interface ReadPacks {
  readonly set: PackSet;
  readonly faults: readonly PackFault[];
}

/** Never rejects. With faults the set holds what could be read. */
export async function readPacks(folders: readonly string[], names: CatalogueNames): Promise<ReadPacks> {
  const read = await Promise.all([...new Set(folders)].map((folder) => readPack(folder, names)));
  const packs = read.flatMap(({ pack }) => (pack === undefined ? [] : [pack]));
  const faults = [
    ...repeatedFolders(folders),
    ...[...read.flatMap((one) => one.faults), ...repeatedNames(packs), ...repeatedKeys(packs, names.taken)],
  ];
  const warnings = read.flatMap((one) => one.warnings);
  return { set: { packs, source: sourceOf(packs), warnings }, faults };
}

function repeatedFolders(folders: readonly string[]): PackFault[] {
  const repeated = folders.filter((folder, number) => folders.indexOf(folder) !== number);
  return repeated.map((folder) => ({
    ...{ file: join(folder, 'pack.yaml'), line: 1, column: 1 },
    ...{ problem: 'this folder is named twice', remedy: 'Name it once' },
  }));
}

function repeatedNames(packs: readonly Pack[]): PackFault[] {
  return packs.flatMap((pack, number) => {
    const other = packs.slice(0, number).find(({ name }) => name === pack.name);
    if (other === undefined) return [];
    const problem = `a pack called "${pack.name}" is in ${other.place.file}, too`;
    return [{ ...pack.place, problem, remedy: 'Give one of them another name' }];
  });
}

function repeatedKeys(packs: readonly Pack[], taken: readonly string[]): PackFault[] {
  const first = new Map<string, LoadedPackRule>();
  const builtIn = new Set(taken);
  return packs.flatMap(({ rules }) =>
    rules.flatMap((loaded) => {
      const { key } = loaded.rule;
      const other = first.get(key);
      first.set(key, other ?? loaded);
      const remedy = 'Give it another key';
      if (builtIn.has(key)) return [{ ...loaded.place, problem: `${key} is a rule of this program`, remedy }];
      return other === undefined ? [] : [{ ...loaded.place, problem: `${key} is in ${other.place.file}, too`, remedy }];
    }),
  );
}

const versionCharacters = 16;

function sourceOf(packs: readonly Pack[]): PackProgramSource {
  const rules = packs.flatMap((pack) => pack.rules.map(({ rule }) => rule));
  if (rules.length === 0) return noPacks.source;
  const described = [packs.map(({ name, version }) => [name, version]), rules];
  const version = createHash('sha256').update(JSON.stringify(described)).digest('hex').slice(0, versionCharacters);
  return { version, rules };
}

/** What `refresh` found. */
type PackRefresh = 'same' | 'changed' | 'broken';

export class PackStore {
  readonly #folders: readonly string[];
  readonly #names: CatalogueNames;
  #set: PackSet = noPacks;
  #trouble: CcxError | undefined;
  /** Of the files as they were read last, whether well or not. */
  #fingerprint = '';

  private constructor(folders: readonly string[], names: CatalogueNames) {
    this.#folders = folders;
    this.#names = names;
  }

  /** Rejects with code `RULE_PACK_INVALID`: at the start there is nothing good to keep. */
  static async open(folders: readonly string[], names: CatalogueNames): Promise<PackStore> {
    const store = new PackStore(folders, names);
    if (folders.length > 0) await store.refresh();
    if (store.#trouble !== undefined) throw store.#trouble;
    return store;
  }

  /** The last good packs: the same object until others are in force. */
  get set(): PackSet {
    return this.#set;
  }

  /** Why the last change is not in force; undefined when it is. */
  get trouble(): CcxError | undefined {
    return this.#trouble;
  }

  /** Looks whether a file has changed, and reads all of them if one has. Never rejects. */
  async refresh(): Promise<PackRefresh> {
    const fingerprint = await fingerprintOf(this.#folders);
    if (fingerprint === this.#fingerprint) return 'same';
    const { set, faults } = await readPacks(this.#folders, this.#names);
    this.#fingerprint = fingerprint;
    if (faults.length > 0) {
      this.#trouble = packsInvalid(faults);
      return 'broken';
    }
    this.#trouble = undefined;
    this.#set = set;
    return 'changed';
  }
}

/** Names, sizes and times of what `readPack` reads; the same for the same files. */
async function fingerprintOf(folders: readonly string[]): Promise<string> {
  const parts = await Promise.all(
    folders.map(async (folder) => {
      const rules = await readdir(join(folder, 'rules')).catch(() => []);
      const paths = ['pack.yaml', ...rules.sort().map((name) => join('rules', name))];
      const states = await Promise.all(
        paths.map(async (path) => {
          const state = await stat(join(folder, path), { bigint: true }).catch(() => undefined);
          return state === undefined
            ? `${path} -`
            : `${path} ${state.ino} ${state.size} ${state.mtimeNs} ${state.ctimeNs}`;
        }),
      );
      return states.join('\n');
    }),
  );
  return `read\n${parts.join('\n\n')}`;
}
