/**
 * What it takes until a program has said its version, its help, its configuration, or which rows are old: the launcher, Node, and whatever the command loads. Below
 * a Node that runs nothing nobody gets.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { baseEnvironment } from '../test/support/base-environment.ts';
import { settingsOf, storageSettings } from '../test/support/drop-in-program.ts';
import type { BenchContext, Benchmark, Comparison } from './support/benchmark.ts';

const bin = join(import.meta.dirname, '../src/bin');

const commands = [
  ['ccx', '--version'],
  ['ccx', 'writer', '--help'],
  ['ccx-notification-writer', '--version'],
  ['ccx-notification-writer', '--help'],
  ['ccx-notification-service', '--show-version'],
  ['ccx-notification-service', '--help'],
  ['ccx-notification-service', '--show-configuration'],
] as const;

/** What a cron job of the originals calls; on a database without rows, so that the start is what takes the time. */
const commandsOnDatabase = [
  ['ccx-notification-writer', '--print-new-reports-for-cleanup', '--max-age=8 days'],
  ['ccx-notification-writer', '--new-reports-cleanup', '--max-age=8 days'],
  ['ccx-notification-service', '--print-old-reports-for-cleanup', '--max-age=8 days'],
  ['ccx-notification-service', '--old-reports-cleanup', '--max-age=8 days'],
] as const;

export const benchmark: Benchmark = {
  description: 'programs that only say something against a Node that runs nothing',
  async run(context) {
    const comparisons: Comparison[] = [];
    for (const command of commands) comparisons.push(await compareStarts(context, command, {}));
    const { url } = await context.createDatabase();
    for (const command of commandsOnDatabase) {
      comparisons.push(await compareStarts(context, command, settingsOf(command[0], storageSettings(url))));
    }
    return { comparisons, figures: [] };
  },
};

async function compareStarts(
  context: BenchContext,
  [name, ...args]: readonly [string, ...string[]],
  settings: Readonly<Record<string, string>>,
): Promise<Comparison> {
  const turns = context.size(5, 1);
  const repeated = (program: string, argv: readonly string[]) => async () => {
    for (let turn = 0; turn < turns; turn += 1) {
      const { status, error } = spawnSync(program, argv, {
        stdio: 'ignore',
        env: { ...baseEnvironment(), ...settings },
      });
      if (status !== 0) throw new Error(`${program} ${argv.join(' ')} ended with ${status}`, { cause: error });
    }
    return turns;
  };
  return context.compare({
    title: [name, ...args].join(' '),
    unit: 'starts',
    subject: { name: 'through its launcher', run: repeated(join(bin, name), args) },
    baselines: [{ name: 'node -e 0', run: repeated(process.execPath, ['-e', '0']) }],
  });
}
