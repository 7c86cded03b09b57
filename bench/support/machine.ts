/** The machine that figures come from, without which they mean nothing. */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../src/platform/clock/clock.ts';
import { spread } from './compare.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly node: string;
  readonly platform: string;
  /** Processes that wanted to run in the last minute, before the benchmarks. */
  readonly load: number;
  /** A write of 4 kB and its flush to the disk that temporary folders lie on; what every durable step waits for. */
  readonly flushMs: number;
}

const flushes = 25;

export async function describeMachine(clock: Clock): Promise<Machine> {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    flushMs: Math.round((await measureFlush(clock)) * 100) / 100,
  };
}

async function measureFlush(clock: Clock): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'ccx-measure-flush-'));
  try {
    const file = await open(join(folder, 'file'), 'w');
    const times: number[] = [];
    for (let count = 0; count < flushes; count += 1) {
      const startedMs = clock.monotonicMs();
      await file.write(Buffer.alloc(4096, count));
      await file.datasync();
      times.push(clock.monotonicMs() - startedMs);
    }
    await file.close();
    return spread(times).median;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export function machineLine({ cpu, cores, memoryGb, node, platform, load, flushMs }: Machine): string {
  return `${cpu}, ${cores} cores, ${memoryGb} GB, ${platform}, Node ${node}; load ${load} before, a flush takes ${flushMs} ms`;
}
