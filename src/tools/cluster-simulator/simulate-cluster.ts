/**
 * Made-up clusters: hop 0 of the flow. A healthy cluster of the rule catalog with the findings that are asked for, packed as the Insights
 * Operator packs it. The same options make the same bytes. Used by `ccx simulate`, the all-in-one demo, system tests and benchmarks.
 */
import { createHash } from 'node:crypto';
import { CcxError } from '../../encoding/ccx-error.ts';
import { type FileToPack, packArchive } from '../../platform/archive/pack-archive.ts';
import { healthyCluster } from '../../rules/catalog/healthy-cluster.ts';
import { allSamples } from '../../rules/catalog/index-of-samples.ts';
import { type FiringSample, toArchiveFiles } from '../../rules/catalog/sample.ts';
import type { Rule } from '../../rules/engine/rule.ts';
import { typicalFillerFiles } from './filler-files.ts';

/** Findings that a cluster gets when none are asked for. */
const randomFindingsMax = 3;

export interface SimulateClusterOptions {
  /** Decides the cluster's id and the names of its nodes. */
  readonly seed: number | string;
  readonly now: Date;
  /** Error keys that the rules shall report; none by default. At most one per rule. */
  readonly findings?: readonly string[];
  /** Instead of the one that follows from the seed. */
  readonly clusterId?: string;
  /** OpenShift version of the cluster before any finding; default a supported one. */
  readonly version?: string;
  /** `small` (default) holds what rules look at, some 4 kB packed; `typical` is as large as a real archive, some 90 kB packed. */
  readonly size?: 'small' | 'typical';
}

export interface SimulatedCluster {
  readonly clusterId: string;
  /** Those that were asked for, and those of other rules that come with them. */
  readonly findings: readonly string[];
  /** When the archive says it was gathered: `now`, unless a finding exists only at another time. Goes into the upload's metadata. */
  readonly gatheredAt: Date;
  /** As an opened archive has them. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** A tar.gz, ready to be uploaded. */
  readonly archive: Buffer;
}

/** Every error key that a cluster can be made to have; the tutorial's, every cluster has where its rule runs. */
export const SIMULATED_FINDINGS: readonly string[] = keysOf(({ mark }) => mark !== 'tutorial');
/** Those of them that are reported only where provisional rules run. */
export const PROVISIONAL_FINDINGS: ReadonlySet<string> = new Set(keysOf(({ mark }) => mark === 'provisional'));

function keysOf(isWanted: (rule: Rule) => boolean): string[] {
  return allSamples.filter(({ rule }) => isWanted(rule)).flatMap(({ fires }) => Object.keys(fires));
}

/** Throws `CcxError` `SIMULATE_FINDINGS` when a key is unknown or two of them cannot be had at once. */
export function simulateCluster(options: SimulateClusterOptions): SimulatedCluster {
  const findings = [...new Set(options.findings ?? [])];
  const samples = findings.map(sampleOf);
  checkTogether(findings, samples);
  const gatheredAt = samples.map(({ now }) => now).find((now) => now !== undefined);
  const now = gatheredAt === undefined ? options.now : new Date(gatheredAt);
  const digest = createHash('sha256').update(`cluster ${options.seed}`).digest('hex');
  const clusterId = options.clusterId ?? uuidFrom(digest);
  const nodes = (role: string) => [0, 1, 2].map((index) => `${role}-${index}.${digest.slice(40, 46)}.example.internal`);
  const healthy = healthyCluster({
    clusterId,
    now,
    controlPlaneNodes: nodes('master'),
    workerNodes: nodes('worker'),
    version: options.version,
  });
  const files = toArchiveFiles(samples.reduce((current, sample) => sample.edit(current), healthy));
  if (options.size === 'typical') for (const [path, body] of typicalFillerFiles(digest)) files.set(path, body);
  const found = [...new Set([...findings, ...samples.flatMap(({ also = [] }) => also)])];
  return { clusterId, findings: found, gatheredAt: now, files, archive: packArchive(inOrder(files, now)) };
}

/** Up to three findings of rules without a mark that can be had at once and at any time, chosen by the seed; about one cluster in four has none. */
export function randomFindings(seed: number | string): readonly string[] {
  const digest = createHash('sha256').update(`findings ${seed}`).digest();
  const candidates = allSamples
    .filter(({ rule }) => rule.mark === undefined)
    .map(({ fires }) => Object.entries(fires).filter(([, [sample]]) => sample.now === undefined))
    .filter((keys) => keys.length > 0);
  const chosen = new Map<number, string>();
  const settled = new Set<string>();
  const count = digest[0]! % (randomFindingsMax + 1);
  for (let byte = 1; chosen.size < count; byte += 2) {
    const rule = digest[byte]! % candidates.length;
    const keys = candidates[rule]!;
    const [key, [{ settles = [] }]] = keys[digest[byte + 1]! % keys.length]!;
    if (!chosen.has(rule) && !settles.some((what) => settled.has(what))) {
      chosen.set(rule, key);
      for (const what of settles) settled.add(what);
    }
    if (byte + 3 >= digest.length) break;
  }
  return [...chosen.values()].sort();
}

function sampleOf(finding: string): FiringSample {
  const { fires } = allSamples.find((samples) => Object.hasOwn(samples.fires, finding)) ?? {};
  const sample = SIMULATED_FINDINGS.includes(finding) ? fires?.[finding]?.[0] : undefined;
  if (sample === undefined) {
    throw findingsError(`no rule reports ${finding}`, `findings are ${SIMULATED_FINDINGS.join(', ')}`);
  }
  return sample;
}

/** A cluster has one release and one state of each thing, and its archive was gathered once. */
function checkTogether(findings: readonly string[], samples: readonly FiringSample[]): void {
  const hint = 'simulate two clusters instead';
  for (const { fires } of allSamples) {
    const ofOneRule = findings.filter((finding) => Object.hasOwn(fires, finding));
    if (ofOneRule.length > 1) throw findingsError(`one cluster cannot have both ${ofOneRule.join(' and ')}`, hint);
  }
  const settled = new Map<string, string>();
  for (const [index, { settles = [] }] of samples.entries()) {
    for (const what of settles) {
      const other = settled.get(what);
      if (other !== undefined)
        throw findingsError(`one cluster cannot have both ${other} and ${findings[index]}: each has its ${what}`, hint);
      settled.set(what, findings[index]!);
    }
  }
  const times = new Set(samples.flatMap(({ now }) => now ?? []));
  if (times.size > 1) throw findingsError(`${findings.join(', ')} do not exist at the same time`, hint);
}

function findingsError(message: string, hint: string): CcxError {
  return new CcxError(message, { code: 'SIMULATE_FINDINGS', category: 'configuration', hint });
}

/** A UUID of version 4 made of 32 hexadecimal digits. */
function uuidFrom(hex: string): string {
  const variant = '89ab'[Number.parseInt(hex[16]!, 16) % 4];
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    variant + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join('-');
}

/** The operator writes what was gathered last first, and `gathers.json` is made when all else is there. */
function* inOrder(files: ReadonlyMap<string, Buffer>, now: Date): Generator<FileToPack> {
  const secondsBefore = (path: string) => (path === 'insights-operator/gathers.json' ? 0 : 1 + (path.length % 30));
  for (const [path, body] of files) {
    yield { path, body, mtime: new Date(now.getTime() - secondsBefore(path) * 1000) };
  }
}
