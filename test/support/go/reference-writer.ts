/**
 * The Go program beside this file, which judges messages as the reference's writer does, with Go's own decoder and encoder; for
 * `*.go.test.ts`. Built and started at the first question, ended after the file's last test. Where Go is missing the file is skipped and
 * says so; with CCX_REQUIRE_GO=1 that is a failure, so that a build cannot pass by leaving these tests out.
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

assertKindMay('use Go');
const missing = whyNoGo();
if (missing !== undefined) {
  if (readProcessInput().env['CCX_REQUIRE_GO'] === '1') throw new Error(`${missing}, and CCX_REQUIRE_GO=1 wants it`);
  // Ends before the file's first test: there is nothing here that could be run.
  console.log(`skipped: ${missing}`);
  process.exit(0);
}

/** As the program writes it; see `main.go`. */
export interface GoAnswer {
  readonly Outcome: string;
  readonly Error: string;
  readonly OrgID: number | null;
  readonly AccountNumber: number | null;
  readonly ClusterName: string | null;
  readonly LastChecked: string;
  readonly Version: number;
  readonly RequestID: string;
  readonly Text: string | null;
  readonly OriginalBytes: number;
  readonly Moment: { readonly Seconds: number; readonly Nanos: number } | null;
}

interface Program {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly lines: AsyncIterator<string>;
}

let program: Promise<Program> | undefined;
after(async () => (await program)?.child.stdin.end());

async function start(): Promise<Program> {
  const binary = join(temporaryFolder(), 'reference-writer');
  const source = fileURLToPath(new URL('reference-writer/main.go', import.meta.url));
  await promisify(execFile)('go', ['build', '-o', binary, source], { env: goEnvironment() });
  const child = spawn(binary, { stdio: ['pipe', 'pipe', 'inherit'] });
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

/** One answer for each document, in their order. Not to be called again before it has answered. */
export async function askGo(documents: readonly Buffer[]): Promise<readonly GoAnswer[]> {
  program ??= start();
  const { child, lines } = await program;
  for (const document of documents) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(document.length);
    child.stdin.write(Buffer.concat([length, document]));
  }
  const answers: GoAnswer[] = [];
  while (answers.length < documents.length) {
    const line = await lines.next();
    if (line.done === true) throw new Error('the Go program ended');
    answers.push(JSON.parse(line.value) as GoAnswer);
  }
  return answers;
}
