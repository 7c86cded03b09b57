/**
 * Runs command lines of the drop-in programs in one process, one after the other, and writes down what each ended with and printed. A process of
 * its own, because standard output is taken away from whoever else writes to it. Started by `command-lines.process.test.ts`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { runNotificationServiceProgram } from '../../src/services/notification-service/drop-in/program.ts';
import { runNotificationWriterProgram } from '../../src/services/notification-writer/drop-in/program.ts';
import type { ProgramName } from './command-lines.ts';

export interface RunRequest {
  readonly program: ProgramName;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface RunAnswer {
  readonly code: number;
  readonly output: string;
}

const programs = {
  'ccx-notification-writer': runNotificationWriterProgram,
  'ccx-notification-service': runNotificationServiceProgram,
};

async function run({ program, args, env }: RunRequest): Promise<RunAnswer> {
  let output = '';
  const { stdout, stderr } = process;
  const originals = [stdout.write, stderr.write] as const;
  const write = (text: string | Uint8Array) => {
    output += String(text);
    return true;
  };
  stdout.write = write;
  stderr.write = write;
  try {
    const code = await programs[program]({ args, env, programName: program });
    return { code, output };
  } finally {
    [stdout.write, stderr.write] = originals;
  }
}

const [requests = '', answers = ''] = readProcessInput().args;
// Each run listens for signals as if it had the process for itself.
process.setMaxListeners(0);
const finished: RunAnswer[] = [];
for (const request of JSON.parse(readFileSync(requests, 'utf8')) as RunRequest[]) finished.push(await run(request));
writeFileSync(answers, JSON.stringify(finished));
