/**
 * Whether a reason that `ccx explain` gives for a silence is true, by what a test did and saw: it knows the settings, the reports, the rows
 * and the answers of the targets, and nothing of how our service decides. Used by `notification-history.ts`.
 */

/** What a target answers to an attempt; `lost`: it arrived, and the answer did not. */
export type Answer = 'delivered' | 'away' | 'lost' | 'rejected' | 'paused';

export interface SilenceFacts {
  readonly nowMs: number;
  readonly cooldownMs: number;
  /** The newest report holds the issue. */
  readonly isReported: boolean;
  /** All that keeps it from the target, by the names that it should have. */
  readonly filters: readonly string[];
  /** A row of `reported` that is there may count for it. */
  readonly hasRow: boolean;
  /** No texts can be made for the target. */
  readonly isMute: boolean;
  /** A cap on the issues of a cluster in a day was in force on this one. */
  readonly isCapped: boolean;
  /** The target takes everything, and nothing asks for a wait any more. */
  readonly isFree: boolean;
  /** To its last message, in order. */
  readonly answers: readonly Answer[];
  readonly lastAnswerMs: number;
  readonly mayHaveArrived: boolean;
  /** A process died with it: nobody knows more while the lease lasts. */
  readonly isUnsettled: boolean;
  /** When it was first seen to be only listed as possibly arrived. */
  readonly listedMs: number;
}

/** Undefined where the reason is true. */
export function lieOf(reason: string, facts: SilenceFacts): string | undefined {
  const { answers, filters, isFree, isMute, isUnsettled, mayHaveArrived } = facts;
  if (!facts.isReported) {
    // What was withdrawn for a rule that is disabled, say, is both.
    return reason === 'gone' || filters.includes(reason) ? undefined : 'it is not in the newest report';
  }
  if (filters.length > 0) return filters.includes(reason) ? undefined : `it is ${filters.join()}`;
  const otherwise = `it was ${answers.join()}`;
  const last = answers.at(-1);
  const isOver = (sinceMs: number) => (sinceMs + facts.cooldownMs > facts.nowMs ? undefined : 'its cooldown has ended');
  switch (reason) {
    case 'gone':
      return 'it is in the newest report';
    case 'notified':
    case 'already-notified':
      return facts.hasRow ? undefined : 'no row says so';
    case 'cluster-cap':
      return facts.isCapped ? undefined : 'there is no cap';
    case 'render-failed':
      return isMute ? undefined : 'texts can be made';
    case 'on-its-way':
      if (!isUnsettled && (mayHaveArrived || last === 'delivered' || last === 'rejected')) return otherwise;
      return isFree && !isMute ? 'nothing keeps it from being sent' : undefined;
    case 'may-have-arrived':
      if (!mayHaveArrived) return otherwise;
      return isFree ? 'nothing keeps it from being sent' : undefined;
    case 'given-up':
      return last === 'rejected' ? isOver(facts.lastAnswerMs) : otherwise;
    case 'arrival-unknown':
      return mayHaveArrived ? isOver(facts.listedMs) : otherwise;
    case 'not-in-time':
      return answers.every((answer) => answer === 'away' || answer === 'paused') ? undefined : otherwise;
    default:
      return 'nothing stands against it';
  }
}
