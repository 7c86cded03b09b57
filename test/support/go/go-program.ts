/**
 * A Go program of a folder beside this file, which is asked what Go itself makes of something; for `*.go.test.ts`. Built and started at the
 * first question, ended after the file's last test. Where Go is missing the test file is skipped and says so; with CCX_REQUIRE_GO=1 that
 * is a failure, so that a build cannot pass by leaving these tests out.
 */
import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readProcessInput } from '../../../src/platform/config/process-input.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { assertKindMay } from '../test-kinds.ts';
import { goEnvironment, whyNoGo } from './go-toolchain.ts';

interface Program {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly lines: AsyncIterator<string>;
}

/**
 * `folder` holds a `main.go`. It reads documents, each behind its length in four bytes, and answers each with a line of JSON. The returned
 * function gives one answer for each document, in their order; not to be called again before it has answered.
 */
export function goProgram<Answer>(folder: string): (documents: readonly Buffer[]) => Promise<readonly Answer[]> {
  assertKindMay('use Go');
  const missing = whyNoGo();
  if (missing !== undefined) {
    if (readProcessInput().env['CCX_REQUIRE_GO'] === '1') throw new Error(`${missing}, and CCX_REQUIRE_GO=1 wants it`);
    // Ends before the file's first test: there is nothing here that could be run.
    console.log(`skipped: ${missing}`);
    process.exit(0);
  }
  let program: Promise<Program> | undefined;
  after(async () => (await program)?.child.stdin.end());
  return async (documents) => {
    program ??= start(folder);
    const { child, lines } = await program;
    for (const document of documents) {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(document.length);
      child.stdin.write(Buffer.concat([length, document]));
    }
    const answers: Answer[] = [];
    while (answers.length < documents.length) {
      const line = await lines.next();
      if (line.done === true) throw new Error('the Go program ended');
      answers.push(JSON.parse(line.value) as Answer);
    }
    return answers;
  };
}

async function start(folder: string): Promise<Program> {
  const binary = join(temporaryFolder(), folder);
  const source = fileURLToPath(new URL(`${folder}/main.go`, import.meta.url));
  await promisify(execFile)('go', ['build', '-o', binary, source], { env: goEnvironment() });
  const child = spawn(binary, { stdio: ['pipe', 'pipe', 'inherit'] });
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}
