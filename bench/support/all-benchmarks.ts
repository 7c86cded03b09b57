/** The benchmarks by name, in the order in which they run. A new one is a file `bench/<name>.ts` and a line here. */
import { benchmark as openArchive } from '../open-archive.ts';
import type { Benchmark } from './benchmark.ts';

export const allBenchmarks: Readonly<Record<string, Benchmark>> = {
  'open-archive': openArchive,
};
