/**
 * Rounds of several ways of doing the same work, one after the other in every round: whatever slows the machine for a while slows all of
 * them, so the ratio of one round means something where the times themselves do not. Called by benchmarks through their context.
 */
import type { Clock } from '../../src/platform/clock/clock.ts';
import type { Comparison, Contender, Contest, Spread } from './benchmark.ts';

/** Enough for a median that one disturbed round does not move. */
const roundsDefault = 15;
/** Fewer say nothing about the spread. They are run even if the time is up. */
const roundsMin = 3;
const budgetMsDefault = 6_000;

export interface CompareOptions {
  readonly clock: Clock;
  readonly quick: boolean;
  readonly signal: AbortSignal;
}

/** Rejects with the signal's reason when it is aborted between two runs. */
export async function compare(contest: Contest, { clock, quick, signal }: CompareOptions): Promise<Comparison> {
  const { subject, baselines, rounds = roundsDefault, budgetMs = budgetMsDefault } = contest;
  const contenders = [subject, ...baselines];
  const endsMs = clock.monotonicMs() + budgetMs;
  const rates = contenders.map((): number[] => []);
  const runRound = async (round: number) => {
    const measured: number[] = [];
    for (const contender of contenders) {
      signal.throwIfAborted();
      measured.push(await measure(contender, round, clock));
    }
    return measured;
  };
  // Round 0 fills caches and lets the compiler see the code; it is not counted.
  if (!quick) await runRound(0);
  const wanted = quick ? 1 : rounds;
  for (let round = 1; round <= wanted; round += 1) {
    if (round > roundsMin && clock.monotonicMs() > endsMs) break;
    for (const [index, rate] of (await runRound(round)).entries()) rates[index]!.push(rate);
  }
  const [subjectRates, ...baselineRates] = rates as [number[], ...number[][]];
  return {
    title: contest.title,
    unit: contest.unit,
    rounds: subjectRates.length,
    subject: { name: subject.name, perSecond: spread(subjectRates) },
    baselines: baselines.map(({ name }, index) => ({
      name,
      perSecond: spread(baselineRates[index]!),
      ratio: spread(subjectRates.map((rate, round) => rate / baselineRates[index]![round]!)),
    })),
  };
}

/** Units per second. */
async function measure(contender: Contender, round: number, clock: Clock): Promise<number> {
  await contender.prepare?.(round);
  const startedMs = clock.monotonicMs();
  const work = await contender.run(round);
  return typeof work === 'number'
    ? (work * 1000) / (clock.monotonicMs() - startedMs)
    : (work.units * 1000) / work.elapsedMs;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}
