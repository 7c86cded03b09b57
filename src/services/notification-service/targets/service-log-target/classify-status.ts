/**
 * What a status code of Service Log means for the entry that was posted. Total over all codes; what is not known is "ambiguous", which
 * asks before anything is posted again. Source: consumers.md 2.3.
 */

/**
 * - `created`: the entry exists.
 * - `rejected`: this entry will never be accepted; others may.
 * - `recipient-unknown`: the API does not know the cluster, or the address is wrong.
 * - `unauthorized`: the token is refused.
 * - `refused`: permission or address is wrong. Service Log answers 403 for single clusters, so this may be about one recipient.
 * - `limited`: too many requests, of this recipient or of all.
 * - `not-accepted`: certainly not, may be later.
 * - `ambiguous`: the entry may exist.
 */
export type StatusMeaning =
  | 'created'
  | 'rejected'
  | 'recipient-unknown'
  | 'unauthorized'
  | 'refused'
  | 'limited'
  | 'not-accepted'
  | 'ambiguous';

/** Codes of the 4xx range that are about who sends, the address or a proxy, not about what this entry says. */
const notAboutTheEntry = new Set([402, 403, 405, 406, 407, 411, 415, 417, 421, 426, 431, 511]);

/** `fromServiceLog`: the body is the API's own error document. A 404 without it comes from something else that answers at that address. */
export function classifyStatus(status: number, fromServiceLog: boolean): StatusMeaning {
  if (status === 201) return 'created';
  if (status === 401) return 'unauthorized';
  if (status === 429) return 'limited';
  // 425 is "too early, say it again"; 503 is what the SDK tries again for any method.
  if (status === 425 || status === 503) return 'not-accepted';
  // The server gave up waiting for a request that it may have, or has one that conflicts, perhaps this one.
  if (status === 408 || status === 409) return 'ambiguous';
  if (notAboutTheEntry.has(status) || (status >= 300 && status < 400)) return 'refused';
  if (status === 404 || status === 410) return fromServiceLog ? 'recipient-unknown' : 'refused';
  if (status >= 400 && status < 500) return 'rejected';
  return 'ambiguous';
}
