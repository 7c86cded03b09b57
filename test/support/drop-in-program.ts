/** The two drop-in programs as their users run them: settings by their environment names, and a run from start to end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { baseEnvironment } from './base-environment.ts';
import { assertKindMay } from './test-kinds.ts';

export type DropInProgram = 'ccx-notification-writer' | 'ccx-notification-service';

export function launcherOf(program: DropInProgram): string {
  return fileURLToPath(new URL(`../../src/bin/${program}`, import.meta.url));
}

/** Environment variables of a program's settings. */
export function settingsOf(program: DropInProgram, settings: Readonly<Record<string, string>>): Record<string, string> {
  const prefix = program.toUpperCase().replaceAll('-', '_');
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [`${prefix}__${name}`, value]));
}

/** A database as both programs take it: in parts. */
export function storageSettings(databaseUrl: string): Record<string, string> {
  const url = new URL(databaseUrl);
  return {
    STORAGE__DB_DRIVER: 'postgres',
    STORAGE__PG_USERNAME: decodeURIComponent(url.username),
    STORAGE__PG_PASSWORD: decodeURIComponent(url.password),
    STORAGE__PG_HOST: url.hostname,
    STORAGE__PG_PORT: url.port,
    STORAGE__PG_DB_NAME: url.pathname.slice(1),
    STORAGE__PG_PARAMS: 'sslmode=disable',
  };
}

export interface FinishedProgram {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** By its launcher or by another path to it; `cwd` is where it looks for its configuration file. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<FinishedProgram> {
  assertKindMay('start programs');
  const child = spawn(program, args, { cwd, env: { ...baseEnvironment(), ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}
