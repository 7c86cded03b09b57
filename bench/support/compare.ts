/**
 * Rounds of several ways of doing the same work, one after the other in every round: whatever slows the machine for a while slows all of
 * them, so the ratio of one round means something where the times themselves do not. Called by benchmarks through their context.
 */
import type { Clock } from '../../src/platform/clock/clock.ts';
import type { Comparison, Contender, Contest, Costs, Measured, Spread } from './benchmark.ts';
import { cpuSince, cpuTimes, forgetPeaks, peakMebibytes } from './costs.ts';

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
  const { subject, baselines, rounds = roundsDefault, budgetMs = budgetMsDefault, warmUp = true } = contest;
  const contenders = [subject, ...baselines];
  const endsMs = clock.monotonicMs() + budgetMs;
  const turns = contenders.map((): Turn[] => []);
  const runRound = async (round: number) => {
    const measured: Turn[] = [];
    for (const contender of contenders) {
      signal.throwIfAborted();
      measured.push(await measure(contender, round, clock));
    }
    return measured;
  };
  // Round 0 fills caches and lets the compiler see the code; it is not counted.
  if (!quick && warmUp) await runRound(0);
  const wanted = quick ? 1 : rounds;
  for (let round = 1; round <= wanted; round += 1) {
    if (round > roundsMin && clock.monotonicMs() > endsMs) break;
    for (const [index, turn] of (await runRound(round)).entries()) turns[index]!.push(turn);
  }
  const [subjectTurns, ...baselineTurns] = turns as [Turn[], ...Turn[][]];
  return {
    title: contest.title,
    unit: contest.unit,
    rounds: subjectTurns.length,
    subject: measuredOf(subject.name, subjectTurns),
    baselines: baselines.map(({ name }, index) => ({
      ...measuredOf(name, baselineTurns[index]!),
      ratio: spread(subjectTurns.map(({ perSecond }, round) => perSecond / baselineTurns[index]![round]!.perSecond)),
    })),
  };
}

/** What one contender did in one round. */
interface Turn {
  readonly perSecond: number;
  readonly costs?: TurnCosts;
}

interface TurnCosts {
  readonly process: number;
  readonly children: number;
  readonly server: number;
  readonly processPeak: number;
  readonly childrenPeak: number;
}

async function measure(contender: Contender, round: number, clock: Clock): Promise<Turn> {
  await contender.prepare?.(round);
  const watched = contender.costs?.();
  if (watched !== undefined) forgetPeaks(watched);
  const before = watched && cpuTimes(watched);
  const startedMs = clock.monotonicMs();
  const work = await contender.run(round);
  const elapsedMs = typeof work === 'number' ? clock.monotonicMs() - startedMs : work.elapsedMs;
  const units = typeof work === 'number' ? work : work.units;
  const perSecond = (units * 1000) / elapsedMs;
  if (watched === undefined || before === undefined) return { perSecond };
  const spent = cpuSince(watched, before);
  const peak = peakMebibytes(watched);
  const micros = (ms: number) => (ms * 1000) / units;
  return {
    perSecond,
    costs: {
      ...{ process: micros(spent.process), children: micros(spent.children), server: micros(spent.server) },
      ...{ processPeak: peak.process, childrenPeak: peak.children },
    },
  };
}

function measuredOf(name: string, turns: readonly Turn[]): Measured {
  const perSecond = spread(turns.map((turn) => turn.perSecond));
  const costs = turns.flatMap((turn) => turn.costs ?? []);
  return costs.length === 0 ? { name, perSecond } : { name, perSecond, costs: costsOf(costs) };
}

function costsOf(turns: readonly TurnCosts[]): Costs {
  const of = (name: keyof TurnCosts) => spread(turns.map((turn) => turn[name]));
  return {
    cpuUs: { process: of('process'), children: of('children'), server: of('server') },
    peakMebibytes: { process: of('processPeak'), children: of('childrenPeak') },
  };
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}
