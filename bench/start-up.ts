/**
 * What it takes until a program has said its version, its help or its configuration: the launcher, Node, and whatever the command loads. Below
 * a Node that runs nothing nobody gets.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
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

export const benchmark: Benchmark = {
  description: 'programs that only say something against a Node that runs nothing',
  async run(context) {
    const comparisons: Comparison[] = [];
    for (const command of commands) comparisons.push(await compareStarts(context, command));
    return { comparisons, figures: [] };
  },
};

async function compareStarts(
  context: BenchContext,
  [name, ...args]: readonly [string, ...string[]],
): Promise<Comparison> {
  const turns = context.size(5, 1);
  const repeated = (program: string, argv: readonly string[]) => async () => {
    for (let turn = 0; turn < turns; turn += 1) {
      const { status, error } = spawnSync(program, argv, { stdio: 'ignore' });
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
