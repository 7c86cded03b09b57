/**
 * The first minute that the README shows is what a newcomer sees: each command runs, and each line that is not left out is printed, in
 * that order; only ids, times, ports and the token differ.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../../scripts/docs/source-tree.ts';
import { type CcxProcess, runCcx, startCcx } from '../support/ccx-process.ts';
import { whyNoInstallation } from '../support/data-folder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Only a failing test waits so long. */
const waitMsMax = 120_000;

interface ShownCommand {
  readonly line: string;
  readonly output: readonly string[];
}

test('the first minute of the README is what is printed', { skip: whyNoInstallation() }, async () => {
  const [start, explain, trace, ...more] = shownCommands();
  assert.deepEqual(more, []);
  assert.equal(start?.line, 'npm start');
  const data = join(temporaryFolder(), 'data');
  // What `npm start` runs, on a free port.
  const running = startCcx({ args: ['all-in-one', '--demo', '--data', data, '--port', '0'] });
  try {
    await running.waitForOutput(/ trace ([0-9a-f]+) /, waitMsMax);
    isShown(start, running.stdout());
    isShown(explain, await answer(explain, running, data));
    isShown(trace, await answer(trace, running, data));
  } finally {
    running.kill('SIGTERM');
    await running.exited(waitMsMax);
  }
});

function shownCommands(): ShownCommand[] {
  const page = readFileSync(join(repositoryRoot, 'README.md'), 'utf8');
  const [, shown = ''] = /<!-- first-minute -->\n```console\n([\s\S]*?)```/.exec(page) ?? [];
  return shown
    .split(/^\$ /m)
    .slice(1)
    .map((command) => {
      const [line = '', ...output] = command.split('\n');
      return { line, output };
    });
}

/** Runs the shown command with the ids of this start, which `npm start` prints. */
async function answer(shown: ShownCommand | undefined, running: CcxProcess, data: string): Promise<string> {
  const name = /^src\/bin\/ccx (\w+) \S+ --data \.\/data$/.exec(shown?.line ?? '')?.[1];
  const id = new RegExp(`ccx ${name} (\\S+) `).exec(running.stdout())?.[1];
  assert.ok(name !== undefined && id !== undefined, `${shown?.line} is printed as the next thing to do`);
  const { stdout } = await runCcx([name, id, '--data', data]);
  return stdout;
}

function isShown(shown: ShownCommand | undefined, printed: string): void {
  const lines = printed.split('\n').map(withoutWhatDiffers);
  let from = 0;
  for (const line of shown?.output ?? []) {
    const wanted = withoutWhatDiffers(line);
    if (wanted.trim() === '' || wanted.trim() === '…') continue;
    const [beginning = '', ...rest] = wanted.split('…');
    const at = lines.findIndex((found, index) => {
      return index >= from && (rest.length === 0 ? found === beginning : found.startsWith(beginning));
    });
    assert.ok(at >= 0, `not printed by ${shown?.line}: ${line}\n${printed}`);
    from = at + 1;
  }
}

function withoutWhatDiffers(line: string): string {
  return line
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b/g, '<id>')
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?/g, '<time>')
    .replace(/^\d\d:\d\d:\d\d/, '<time>')
    .replace(/127\.0\.0\.1:\d+/g, '<address>')
    .replace(/Bearer [\w-]+/, 'Bearer <token>')
    .replace(/data in \S+?\/postgres/, 'data in <folder>/postgres')
    .replace(/ *\+[\d.]+ m?s /g, ' <pause> ')
    .replace(/\([\d.]+ m?s in all\)/, '(<pause> in all)')
    .trimEnd();
}
