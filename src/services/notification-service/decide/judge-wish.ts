/**
 * Whether what a person wants done with a message of the outbox can be done, and why not, by name. Pure; called where the wish is written
 * down, so that what is said of a message is what is true of it then.
 */

/** Sent again under a new id by the running service; or nobody needs to look at it any more. */
export type Deed = 'retry' | 'discard';

/** What a wish is judged by; undefined: there is no such message. */
export interface WishFacts {
  readonly state: string;
  readonly finished: boolean;
  readonly retryRequested: boolean;
  /** Id of the message that was sent in its place. */
  readonly replacedBy: string | null;
  readonly discarded: boolean;
}

/** Why nothing was done. These names are what `--json` shows. */
export const WISH_REASONS = {
  'unknown-id': 'is not in the outbox',
  'not-finished': 'is still being tried, or waits for it',
  delivered: 'was delivered',
  withdrawn: 'was withdrawn: nothing of it was true any more',
  'retry-requested': 'waits to be sent under a new id already',
  'sent-again': 'was sent again before',
  discarded: 'was discarded before',
} as const;
type WishReason = keyof typeof WISH_REASONS;

export type WishJudgement =
  | { readonly kind: 'possible' }
  /** It is as wanted already. */
  | { readonly kind: 'done-before'; readonly reason: WishReason }
  | { readonly kind: 'refused'; readonly reason: WishReason };

/** A message that was discarded may be tried again all the same; one that is sent again is not discarded, its successor may be. */
export function judgeWish(deed: Deed, facts: WishFacts | undefined): WishJudgement {
  const refused = (reason: WishReason) => ({ kind: 'refused', reason }) as const;
  const doneBefore = (reason: WishReason) => ({ kind: 'done-before', reason }) as const;
  if (facts === undefined) return refused('unknown-id');
  if (!facts.finished) return refused('not-finished');
  if (facts.state === 'delivered') return refused('delivered');
  if (facts.state === 'withdrawn') return refused('withdrawn');
  const handled = deed === 'retry' ? doneBefore : refused;
  if (facts.replacedBy !== null) return handled('sent-again');
  if (facts.retryRequested) return handled('retry-requested');
  return deed === 'discard' && facts.discarded ? doneBefore('discarded') : { kind: 'possible' };
}
