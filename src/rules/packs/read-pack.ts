/**
 * Folders → packs, or every fault in their files with line and column. Used at the start of whatever runs or shows rules, and by
 * `ccx rules test`. Nothing outside of a pack's folder is read, whatever links in it say.
 */
import { lstat, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { errorText } from '../../encoding/ccx-error.ts';
import { type LoadedPackRule, type Pack, type PackFault, packLimits } from './pack.ts';
import { readRule } from './read-rule.ts';
import { YamlFile } from './yaml-file.ts';

const packName = /^[a-z0-9_]{1,40}$/;
const packFile = 'pack.yaml';
const rulesFolder = 'rules';
const textCharactersMax = 100;
/** Files of `rules/` that are looked at at all; more than a pack may have, so that the fault can say how many there are. */
const filesMax = 2 * packLimits.rulesMax;

interface ReadPack {
  /** Undefined where its folder or its name cannot be used; otherwise what could be read of it, whatever faults there are. */
  readonly pack: Pack | undefined;
  readonly faults: readonly PackFault[];
  /** What is no fault and worth knowing. */
  readonly warnings: readonly string[];
}

export interface ReadPackOptions {
  /** Names of impacts that the content knows. */
  readonly impacts: readonly string[];
}

/** Never rejects: what cannot be read is a fault. */
export async function readPack(folder: string, options: ReadPackOptions): Promise<ReadPack> {
  const files = new PackFiles(folder);
  const head = await files.read(packFile);
  if (head === undefined) return { pack: undefined, faults: files.faults(), warnings: [] };
  const described = describePack(head);
  const rules: LoadedPackRule[] = [];
  for (const name of await files.list(rulesFolder)) {
    const file = await files.read(join(rulesFolder, name));
    const rule = file === undefined ? undefined : ruleOf(file, { pack: described?.name, ...options });
    if (rule !== undefined) rules.push(rule);
  }
  const pack = described === undefined ? undefined : { ...described, folder, rules };
  return { pack, faults: files.faults(), warnings: await files.warnings() };
}

/** A service reads packs while it runs, and must not end for what a library throws about a file. */
function ruleOf(file: YamlFile, context: Parameters<typeof readRule>[1]): LoadedPackRule | undefined {
  try {
    return readRule(file, context);
  } catch (error) {
    file.fault(0, `this rule cannot be understood: ${errorText(error)}`, 'Leave out what is unusual in it');
    return undefined;
  }
}

function describePack(file: YamlFile): Pick<Pack, 'name' | 'version' | 'owner' | 'place'> | undefined {
  const members = file.knownMembers(file.root, 'a pack', ['name', 'version', 'owner']);
  if (members === undefined) return undefined;
  const texts: Record<string, string> = {};
  for (const [name, example] of [
    ['name', 'name: our_rules'],
    ['version', "version: '1.0'"],
    ['owner', 'owner: platform team'],
  ] as const) {
    const member = members.get(name);
    if (member === undefined) file.fault(file.offsetOf(file.root), `the pack has no "${name}"`, `Write "${example}"`);
    else texts[name] = file.text(member.value, `"${name}"`, `Write a text, such as ${example}`)?.text ?? '';
    if ((texts[name]?.length ?? 0) > textCharactersMax) {
      file.fault(
        file.offsetOf(member?.value ?? null),
        `"${name}" is too long`,
        `Write at most ${textCharactersMax} characters`,
      );
    }
  }
  const { name = '', version = '', owner = '' } = texts;
  const offset = file.offsetOf(members.get('name')?.value ?? null);
  if (packName.test(name)) return { name, version, owner, place: file.place(offset) };
  if (name !== '') {
    const remedy = 'Write 1 to 40 lower case letters, digits and underscores';
    file.fault(offset, `"${name.slice(0, 60)}" cannot be the name of a pack`, remedy);
  }
  return undefined;
}

/** The files of one pack, each within its bounds, and their faults. */
class PackFiles {
  readonly #folder: string;
  readonly #faults: PackFault[] = [];
  readonly #files: YamlFile[] = [];
  #bytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  faults(): readonly PackFault[] {
    return [...this.#faults, ...this.#files.flatMap(({ faults }) => faults)];
  }

  #fault(path: string, problem: string, remedy: string): undefined {
    this.#faults.push({ file: join(this.#folder, path), line: 1, column: 1, problem, remedy });
  }

  /** Names of the YAML files in a folder, in order. */
  async list(path: string): Promise<readonly string[]> {
    const names = await this.#names(path);
    if (names === undefined) return [];
    const yaml = names.filter((name) => /\.ya?ml$/.test(name) && !name.startsWith('.')).sort();
    if (yaml.length === 0)
      this.#fault(path, 'the pack has no rules', `Write one with "ccx rules new ${this.#folder} MY_RULE"`);
    if (yaml.length > packLimits.rulesMax) {
      this.#fault(
        path,
        `the pack has ${yaml.length} rules`,
        `Make packs of at most ${packLimits.rulesMax} rules of it`,
      );
    }
    return yaml.slice(0, packLimits.rulesMax);
  }

  async #names(path: string): Promise<readonly string[] | undefined> {
    try {
      if (!(await this.#isInside(path))) return undefined;
      return (await readdir(join(this.#folder, path))).slice(0, filesMax);
    } catch (error) {
      return this.#unreadable(path, error);
    }
  }

  /** Undefined with a fault for what is not there, no ordinary file, too large, or outside of the folder. */
  async read(path: string): Promise<YamlFile | undefined> {
    const full = join(this.#folder, path);
    try {
      if (!(await this.#isInside(path))) return undefined;
      const found = await stat(full);
      const { size } = found;
      if (!found.isFile()) return this.#fault(path, 'this is no file', 'Put a file there');
      if (size > packLimits.fileBytesMax) {
        const kibibytes = packLimits.fileBytesMax / 1024;
        return this.#fault(
          path,
          `the file has ${size} bytes`,
          `Write at most ${kibibytes} KiB: one rule each, small samples`,
        );
      }
      if (this.#isOver(path, size)) return undefined;
      const text = this.#decoded(path, await readFile(full));
      if (text === undefined) return undefined;
      const file = new YamlFile(full, text);
      this.#files.push(file);
      return file;
    } catch (error) {
      return this.#unreadable(path, error);
    }
  }

  /** True from the file on with which the pack has too much; a fault says it once. */
  #isOver(path: string, size: number): boolean {
    const { packBytesMax } = packLimits;
    const before = this.#bytes;
    this.#bytes += size;
    if (before <= packBytesMax && this.#bytes > packBytesMax) {
      const problem = `with this file the pack has more than ${packBytesMax / 1024 ** 2} MiB`;
      this.#fault(path, problem, 'Make several packs of it, or its samples smaller');
    }
    return this.#bytes > packBytesMax;
  }

  /** Without a byte order mark. What owners are told must not have characters in it that nobody wrote. */
  #decoded(path: string, bytes: Buffer): string | undefined {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      const before = bytes.toString('utf8').split('\ufffd', 1)[0]!.split('\n');
      const place = { line: before.length, column: before.at(-1)!.length + 1 };
      this.#faults.push({
        ...{ file: join(this.#folder, path), ...place },
        ...{ problem: 'this is no UTF-8', remedy: 'Save the file as UTF-8' },
      });
      return undefined;
    }
  }

  #unreadable(path: string, error: unknown): undefined {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOTDIR')
      return this.#fault(path, 'this is in no folder', 'Name the folder that holds pack.yaml and a folder rules');
    if (code !== 'ENOENT')
      return this.#fault(path, `it cannot be read: ${code ?? message}`, 'Let this program read it');
    const remedy =
      path === packFile
        ? 'Name a folder that holds pack.yaml and a folder rules, or make one with "ccx rules new"'
        : 'Make it, or name another folder';
    return this.#fault(path, `there is no ${path}`, remedy);
  }

  /** Links within the folder are followed: Kubernetes mounts a ConfigMap so. */
  async #isInside(path: string): Promise<boolean> {
    const [root, target] = await Promise.all([realpath(this.#folder), realpath(join(this.#folder, path))]);
    const way = relative(root, target);
    if (way === '..' || way.startsWith(`..${sep}`) || way.startsWith(sep)) {
      this.#fault(path, 'this is a link that leads out of the folder', 'Put the file itself there');
      return false;
    }
    return true;
  }

  /** Who may write these files decides what the whole fleet is told. */
  async warnings(): Promise<readonly string[]> {
    const open: string[] = [];
    for (const path of ['', rulesFolder, packFile]) {
      const mode = await lstat(join(this.#folder, path)).then(
        (found) => (found.isSymbolicLink() ? 0 : found.mode),
        () => 0,
      );
      if ((mode & 0o002) !== 0) open.push(path === '' ? basename(this.#folder) : path);
    }
    if (open.length === 0) return [];
    const which = open.join(', ');
    return [`anybody on this machine may write rules: ${this.#folder} (${which}); take the right away with chmod o-w`];
  }
}
