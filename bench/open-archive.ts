/**
 * What the limits of our archive reader cost: the same archive through it, through bare zlib and the parser of the package `tar`, and through
 * zlib alone, below which nobody gets.
 */
import { openArchive } from '../src/platform/archive/open-archive.ts';
import type { BenchContext, Benchmark, Comparison } from './support/benchmark.ts';
import { readRealInput } from './support/real-inputs.ts';
import { typicalCluster } from './support/simulated-archives.ts';
import { gunzipAtOnce, unpackBare } from './support/unpack-bare.ts';

export const benchmark: Benchmark = {
  description: 'opening an archive under limits against zlib and a tar parser without any',
  async run(context) {
    const simulated = typicalCluster('open-archive', context.clock.now()).archive;
    const real = await readRealInput('archives/rapid-recommendations.tar.gz');
    const comparisons = [await compareReaders(context, 'a simulated archive', simulated)];
    if (real !== undefined) comparisons.push(await compareReaders(context, 'a genuine archive', real));
    const files = await openArchive(simulated);
    const unpacked = [...files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
    return {
      comparisons,
      figures: [
        { name: 'simulated archive, packed', value: simulated.length / 1000, unit: 'kB' },
        { name: 'simulated archive, its files', value: unpacked / 1000, unit: 'kB' },
        { name: 'simulated archive, files', value: files.size, unit: 'files' },
      ],
    };
  },
};

async function compareReaders(context: BenchContext, title: string, archive: Buffer): Promise<Comparison> {
  const turns = context.size(40, 2);
  const repeated = (work: () => Promise<unknown>) => async () => {
    for (let turn = 0; turn < turns; turn += 1) await work();
    return turns;
  };
  const expected = (await openArchive(archive)).size;
  const parsed = (await unpackBare(archive)).length;
  if (parsed < expected) throw new Error(`the bare parser finds ${parsed} files, our reader ${expected}`);
  return context.compare({
    title,
    unit: 'archives',
    subject: { name: 'openArchive', run: repeated(() => openArchive(archive)) },
    baselines: [
      { name: 'gunzip, then tar.Parser with the contents kept', run: repeated(() => unpackBare(archive)) },
      { name: 'gunzip alone', run: repeated(() => gunzipAtOnce(archive)) },
    ],
  });
}
