/**
 * Archives by chance: a made-up cluster with some findings, whose files, tar entries and gzip data were changed by somebody who means no good or
 * knows no better. The same seed makes the same bytes; `deeds` says what was done, for whoever looks into one. Used by
 * `fuzzed-archives.test.ts` and `archives-under-fuzz.ts`.
 */

import { healthyCluster } from '../../../src/rules/catalog/healthy-cluster.ts';
import { allSamples } from '../../../src/rules/catalog/index-of-samples.ts';
import { toArchiveFiles } from '../../../src/rules/catalog/sample.ts';
import { type Chance, createChance } from '../seeded.ts';
import { fuzzFiles } from './fuzz-content.ts';
import { fuzzGzip, fuzzTar } from './fuzz-structure.ts';

export interface FuzzedArchive {
  readonly clusterId: string;
  /** RFC 3339, whole seconds. */
  readonly gatheredAt: string;
  readonly archive: Buffer;
  readonly deeds: readonly string[];
}

/** Done to one archive, each with this chance and at most so often: most archives can be opened, so that the rules get to see what is in them. */
const fileEdits = { share: 0.85, max: 4 };
const tarEdits = { share: 0.3, max: 3 };
const gzipEdits = { share: 0.12, max: 1 };
const findingsMax = 4;

/** When clusters report: of the life of most releases. */
const years = ['2019', '2021', '2024', '2026', '2035'];

export function fuzzedArchive(seed: string): FuzzedArchive {
  const chance = createChance(seed);
  const deeds: string[] = [];
  const clusterId = `00000000-0000-4000-8000-${String(chance.below(10 ** 12)).padStart(12, '0')}`;
  const gatheredAt = `${chance.pick(years)}-08-2${chance.below(10)}T06:00:00Z`;
  const samples = Array.from({ length: chance.below(findingsMax + 1) }, () =>
    chance.pick(chance.pick(allSamples.flatMap(({ fires }) => Object.values(fires)))),
  );
  // What cannot be had at once is had all the same: this is no cluster of anybody.
  const healthy = healthyCluster({ clusterId, now: new Date(gatheredAt) });
  const files = toArchiveFiles(samples.reduce((current, { edit }) => edit(current), healthy));
  deeds.push(...samples.map(({ title }) => `finding: ${title}`));
  for (let edit = timesOf(chance, fileEdits); edit > 0; edit -= 1) deeds.push(fuzzFiles(files, chance));
  const tar = fuzzTar(files, chance, timesOf(chance, tarEdits), deeds);
  return { clusterId, gatheredAt, archive: fuzzGzip(tar, chance, timesOf(chance, gzipEdits), deeds), deeds };
}

function timesOf(chance: Chance, { share, max }: { readonly share: number; readonly max: number }): number {
  return chance.next() < share ? 1 + chance.below(max) : 0;
}
