/** Until when minor releases are supported. Read by the two end-of-life rules and by the healthy sample cluster. Dates are in life-cycle.yaml. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

interface ReleaseLifeCycle {
  /** `4.16` */
  readonly branch: string;
  /** Last supported day, `YYYY-MM-DD`, UTC. */
  readonly maintenance: string;
  /** Last day of the first term of Extended Update Support, for releases that have one. */
  readonly extended: string | undefined;
}

/** How long before the end owners are told, so that an update can still be planned. Source: data-pipeline.md 7.5 (30). */
export const END_OF_LIFE_NOTICE_DAYS = 60;

const day = /^\d{4}-\d{2}-\d{2}$/;
const dayMs = 86_400_000;

/** Oldest release first. */
export const LIFE_CYCLE: readonly ReleaseLifeCycle[] = readLifeCycle();

export function lifeCycleOf(branch: string): ReleaseLifeCycle | undefined {
  return LIFE_CYCLE.find((release) => release.branch === branch);
}

/** Whole days from `now` to the end of the last supported day, rounded up; zero or less once it is over. */
export function daysOfSupportLeft(lastDay: string, now: Date): number {
  return Math.ceil((Date.parse(`${lastDay}T00:00:00Z`) + dayMs - now.getTime()) / dayMs);
}

function readLifeCycle(): readonly ReleaseLifeCycle[] {
  const document = parse(readFileSync(new URL('./life-cycle.yaml', import.meta.url), 'utf8')) as {
    releases: Record<string, { maintenance: string; extended?: string }>;
  };
  return Object.entries(document.releases).map(([branch, { maintenance, extended }]) => {
    for (const date of [maintenance, extended ?? maintenance]) {
      if (!day.test(date)) throw new Error(`life-cycle.yaml: ${branch} has a date that is not YYYY-MM-DD: ${date}`);
    }
    return { branch, maintenance, extended };
  });
}
