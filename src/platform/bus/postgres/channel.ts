/**
 * The NOTIFY channel of the embedded bus. What it says is a hint: a consumer that misses every one of them is late by one polling
 * interval and loses nothing.
 */
export const busChannel = 'ccx_bus';

/** PostgreSQL refuses payloads of 8000 bytes; for a group with a longer name than this everybody is woken. */
const groupLengthMax = 1_000;

export type BusHint =
  | { readonly kind: 'records'; readonly topicId: bigint }
  | { readonly kind: 'group'; readonly groupId: string }
  /** The connection was lost for a while, or a topic was made or deleted: everybody looks. */
  | { readonly kind: 'anything' };

/** SQL text that makes the hint of a topic from an expression for its id. PostgreSQL folds equal hints of one transaction into one. */
export function recordsHintSql(topicId: string): string {
  return `pg_notify('${busChannel}', 't' || ${topicId})`;
}

export function groupHint(groupId: string): string {
  return groupId.length > groupLengthMax ? '' : `g${groupId}`;
}

export function parseHint(payload: string): BusHint {
  if (payload.startsWith('g')) return { kind: 'group', groupId: payload.slice(1) };
  if (/^t\d+$/.test(payload)) return { kind: 'records', topicId: BigInt(payload.slice(1)) };
  return { kind: 'anything' };
}
