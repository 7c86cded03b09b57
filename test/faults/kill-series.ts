/**
 * The series of kill scenarios that a seed makes: every kill point at its first and at a later occurrence, pairs of kills with a restart
 * between them, kills at any moment from the start to the middle of a stop, a few that wait for the leases of the dead, and very first starts
 * that are killed several times. `npm run test:all` runs a tenth of one series, `npm run soak` whole ones.
 */
import { killPoints } from './kill-points.ts';
import type { Kill, KillScenario } from './kill-scenario.ts';
import { type Chance, createChance } from './seeded.ts';

const laterOccurrences = [2, 3, 4];
const pairs = 14;
const moments = 12;
const stops = 6;
const waits = 4;
const firstStarts = 4;
const firstStartMsMax = 3_000;
/** Moments lie between a process's first instant and well after everything that its first uploads cause. */
const momentMsMax = 2_500;
const startMsMax = 1_500;
const stopMsMax = 600;

export function killSeries(seed: string): KillScenario[] {
  const chance = createChance(seed);
  const scenario = (kills: readonly Kill[], change: Partial<KillScenario> = {}): KillScenario => {
    const retry = chance.pick(['same-id', 'new-id'] as const);
    const first = change.isNew === true ? ['a first start'] : [];
    const name = [...first, ...kills.map(nameOf), retry].join(', ');
    return { name, kills, retry, waitsForLeases: false, ...change };
  };
  const atEvent = (event: string, nth: number): Kill => ({ at: `${event}:${nth}`, withServer: chance.next() < 1 / 3 });
  const somewhere = (): Kill => atEvent(chance.pick(killPoints).event, chance.pick([1, ...laterOccurrences]));
  const anytime = (): Kill => ({ at: momentOf(chance), withServer: chance.next() < 1 / 3 });
  const series = [
    ...killPoints.flatMap(({ event }) =>
      [1, chance.pick(laterOccurrences)].map((nth) => scenario([atEvent(event, nth)])),
    ),
    ...Array.from({ length: pairs }, () => scenario([somewhere(), chance.next() < 0.5 ? somewhere() : anytime()])),
    ...Array.from({ length: moments }, () => scenario([anytime()])),
    ...Array.from({ length: stops }, () =>
      scenario([{ ...anytime(), at: chance.below(momentMsMax), stoppingMs: chance.below(stopMsMax) }]),
    ),
    ...Array.from({ length: waits }, () => {
      const { event } = chance.pick(killPoints.filter(({ line }) => line === 11));
      return scenario([atEvent(event, chance.pick([1, 2]))], { waitsForLeases: true });
    }),
    ...Array.from({ length: firstStarts }, () => {
      const kills = [1, 2, 3].map(() => ({ ...anytime(), at: -1 - chance.below(firstStartMsMax) }));
      // There may be no tables yet in which to end a lease.
      return scenario(kills, { waitsForLeases: true, isNew: true });
    }),
  ];
  return series.map((one, index) => ({ ...one, name: `${index + 1}: ${one.name}` }));
}

/** So many of them, chosen by the seed; none that waits. */
export function someOf(series: readonly KillScenario[], seed: string, share: number): KillScenario[] {
  const quick = series.filter(({ waitsForLeases }) => !waitsForLeases);
  return createChance(`${seed} share`)
    .shuffle(quick)
    .slice(0, Math.round(series.length * share));
}

function nameOf({ at, withServer, stoppingMs }: Kill): string {
  const when = stoppingMs === undefined ? `${at}` : `${at} and ${stoppingMs} into its stop`;
  return `${when}${withServer ? ' with PostgreSQL' : ''}`;
}

function momentOf(chance: Chance): number {
  return chance.next() < 0.4 ? -1 - chance.below(startMsMax) : chance.below(momentMsMax);
}
