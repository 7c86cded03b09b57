/**
 * The life of a simulated cluster: which OpenShift it runs and what is wrong with it at a moment. A pure function of seed, number and time
 * that asks for no history, so that any process shows the same cluster, from then on and at any moment of the past. Used by
 * `ccx simulate --fleet` and by the demonstration of the all-in-one.
 */
import { createHash } from 'node:crypto';
import { SIMULATED_CLUSTER_PREFIX } from '../../contracts/identifiers.ts';
import { allSamples } from '../../rules/catalog/index-of-samples.ts';
import { LIFE_CYCLE } from '../../rules/catalog/life-cycle.ts';

const dayMs = 86_400_000;
/** Of one cluster at once; each has its own share of the rules, so that no two of them are of one rule. */
const faultsMax = 4;
/** How many days pass between the beginnings of two faults of one kind: some come and go, some are there for months. */
const faultPeriodsDays = [2, 5, 14, 60];
/** How likely it is that a period has a fault. */
const faultShare = 0.6;
/** A cluster gets a patch so often. */
const patchDays = 14;
/** In which clusters leave the release before the newest for that. */
const upgradesFrom = Date.parse('2026-01-01T00:00:00Z');
const upgradesDays = 720;
/** A cluster is away for so long now and then, and how likely. */
const awayDays = 15;
const awayShare = 0.03;

interface FleetMember {
  readonly seed: number | string;
  /** From 0 on. */
  readonly number: number;
}

interface ClusterState {
  /** False: it is away, and uploads nothing. */
  readonly isReporting: boolean;
  readonly version: string;
  /** Error keys, of different rules that can be had at once and at any time. */
  readonly findings: readonly string[];
}

/** A UUID of version 8 with the prefix of simulated clusters. */
export function simulatedClusterId({ seed, number }: FleetMember): string {
  const hex = createHash('sha256').update(`fleet ${seed} cluster ${number}`).digest('hex');
  return `${SIMULATED_CLUSTER_PREFIX}${hex.slice(0, 3)}-8${hex.slice(3, 6)}-${hex.slice(6, 18)}`;
}

export function clusterStateAt(member: FleetMember, at: Date): ClusterState {
  const day = at.getTime() / dayMs;
  const chance = (what: string) => chanceOf(`fleet ${member.seed} cluster ${member.number} ${what}`);
  const faults = Math.floor(chance('faults') * (faultsMax + 1));
  const findings = Array.from({ length: faults }, (_, fault) => faultAt({ fault, day }, chance)).filter(
    (finding) => finding !== undefined,
  );
  return {
    isReporting: chance(`away ${Math.floor(day / awayDays)}`) >= awayShare,
    version: versionAt(at, chance),
    findings: findings.sort(),
  };
}

type Chance = (what: string) => number;

/** Its beginning and its end lie in one period. */
function faultAt({ fault, day }: { readonly fault: number; readonly day: number }, chance: Chance): string | undefined {
  const length = faultPeriodsDays[Math.floor(chance(`period of ${fault}`) * faultPeriodsDays.length)]!;
  const place = day / length + chance(`phase of ${fault}`);
  const period = Math.floor(place);
  const inPeriod = (what: string) => chance(`${what} of ${fault} in ${period}`);
  if (inPeriod('fault') >= faultShare) return undefined;
  const from = inPeriod('beginning') * 0.6;
  const until = from + 0.1 + inPeriod('length') * (0.9 - from);
  if (place - period < from || place - period >= until) return undefined;
  const keys = faultKeys[fault]!;
  return keys[Math.floor(inPeriod('key') * keys.length)];
}

/** Of rules without a mark, those that say nothing of the cluster as a whole and need no time of their own; a share for each fault. */
const faultKeys: readonly (readonly string[])[] = Array.from({ length: faultsMax }, (_, fault) =>
  allSamples
    .filter(({ rule }) => rule.mark === undefined)
    .filter((_, index) => index % faultsMax === fault)
    .flatMap(({ fires }) =>
      Object.entries(fires)
        .filter(([, [{ now, settles = [] }]]) => now === undefined && settles.length === 0)
        .map(([key]) => key),
    ),
);

/** Only ever upwards: a patch now and then, and once the newest release that is known. Its end of support is one of the rules' findings. */
function versionAt(at: Date, chance: Chance): string {
  const upgrades = upgradesFrom + chance('upgrade') * upgradesDays * dayMs;
  const patches = (at.getTime() - upgradesFrom) / dayMs / patchDays + chance('patch');
  const { branch } = at.getTime() < upgrades ? releases[0]! : releases[1]!;
  return `${branch}.${Math.max(0, Math.floor(patches))}`;
}

/** Of the table of releases the last two. */
const releases = LIFE_CYCLE.slice(-2);

/** From 0 to under 1. */
function chanceOf(what: string): number {
  return createHash('sha256').update(what).digest().readUIntBE(0, 6) / 2 ** 48;
}
