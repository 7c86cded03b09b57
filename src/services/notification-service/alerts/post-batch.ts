/**
 * A batch of alerts → one Alertmanager. It answers 400 to a batch with one bad alert, and keeps the others: which one it is is found by
 * posting halves, and that one is left out for a while, so that nothing is repeated for ever. Knows neither HTTP nor the database.
 */
import type { PostableAlert } from '../../../contracts/alertmanager.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { PostAnswer } from '../ports.ts';

/** Alerts of one post. Some 500 kB. */
export const alertsPerPostMax = 500;
/** Posts that look for bad alerts in one round: a server that refuses everything is none of these. */
const searchingPostsMax = 200;
/** One that was refused is tried again after this: the server may have been replaced. */
const leftOutMs = 3_600_000;
const leftOutMax = 1_000;

type Post = (alerts: readonly PostableAlert[]) => Promise<PostAnswer>;

/** Both halves of what has at least two. */
export function halves<T>(list: readonly T[]): readonly [readonly T[], readonly T[]] {
  const middle = Math.ceil(list.length / 2);
  return [list.slice(0, middle), list.slice(middle)];
}

/** What one Alertmanager has refused lately, by labels. Bounded. */
export type LeftOut = ReturnType<typeof createLeftOut>;

export function createLeftOut(monotonicMs: () => number) {
  const until = new Map<string, number>();
  const keyOf = ({ labels }: PostableAlert) => JSON.stringify(Object.values(labels));
  return {
    has(alert: PostableAlert): boolean {
      const key = until.size === 0 ? '' : keyOf(alert);
      const ends = until.get(key);
      if (ends === undefined || ends > monotonicMs()) return ends !== undefined;
      until.delete(key);
      return false;
    },
    add(alert: PostableAlert): void {
      const [oldest] = until.keys();
      if (until.size >= leftOutMax && oldest !== undefined) until.delete(oldest);
      until.set(keyOf(alert), monotonicMs() + leftOutMs);
    },
    size: () => until.size,
  };
}

interface PostedBatch {
  readonly taken: readonly PostableAlert[];
  /** Each by itself was answered with 400. */
  readonly refused: readonly { readonly alert: PostableAlert; readonly detail: string }[];
  /** The round ends here; undefined: it goes on. */
  readonly error: CcxError | undefined;
}

/** `budget` is that of a round, and counts down. */
export async function postBatch(
  post: Post,
  batch: readonly PostableAlert[],
  budget: { posts: number },
): Promise<PostedBatch> {
  const taken: PostableAlert[] = [];
  const refused: { alert: PostableAlert; detail: string }[] = [];
  const waiting: (readonly PostableAlert[])[] = batch.length === 0 ? [] : [batch];
  while (waiting.length > 0) {
    const alerts = waiting.pop()!;
    const answer = await post(alerts);
    if (answer.kind === 'failed') return { taken, refused, error: answer.error };
    if (answer.kind === 'taken') {
      taken.push(...alerts);
      continue;
    }
    const [only] = alerts;
    if (alerts.length === 1) {
      refused.push({ alert: only!, detail: answer.detail });
      continue;
    }
    budget.posts -= 2;
    if (budget.posts < 0) return { taken, refused, error: refusesEverything(answer.detail) };
    const [first, second] = halves(alerts);
    waiting.push(second, first);
  }
  return { taken, refused, error: undefined };
}

export function searchingBudget(): { posts: number } {
  return { posts: searchingPostsMax };
}

function refusesEverything(detail: string): CcxError {
  return new CcxError(`the receiver refuses nearly all alerts: ${detail}`, {
    code: 'ALERTS_REFUSED',
    category: 'delivery',
    retryable: true,
    hint: 'its url has to be the address of an Alertmanager with API v2',
  });
}
