/**
 * Schemathesis, for `*.schemathesis.test.ts`: it reads an OpenAPI document and asks a running server what fits it, and what does not. Where it
 * cannot be installed the file is skipped and says so; with CCX_REQUIRE_SCHEMATHESIS=1 that is a failure.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pythonSet } from '../../scripts/engines/python-set.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { assertKindMay } from './test-kinds.ts';

assertKindMay('use Schemathesis');
const schemathesis = pythonSet('schemathesis', 'schemathesis.txt');
const missing = schemathesis.whyMissing();
if (missing !== undefined) {
  if (readProcessInput().env['CCX_REQUIRE_SCHEMATHESIS'] === '1')
    throw new Error(`${missing}, and CCX_REQUIRE_SCHEMATHESIS=1 wants it`);
  console.log(`skipped: ${missing}`);
  process.exit(0);
}

/** Resolves to what it says; `code` is 0 where the server keeps to its description. The server may be this process. */
export function runSchemathesis(args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  const { programs, env } = schemathesis.installed();
  return new Promise((resolve) => {
    // It leaves what it found, for the next time, where it is started.
    const options = { cwd: temporaryFolder(), env: env as NodeJS.ProcessEnv, maxBuffer: 64 * 1024 ** 2 };
    execFile(join(programs, 'schemathesis'), args, options, (error, stdout, stderr) =>
      resolve({
        code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1,
        output: `${stdout}${stderr}`,
      }),
    );
  });
}
