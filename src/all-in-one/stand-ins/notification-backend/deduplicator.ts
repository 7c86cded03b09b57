/**
 * The backend's memory of message ids: one day from the message's own timestamp, per event type. Source: consumers.md 1.4.
 */
import { isUuid4 } from '../../../contracts/identifiers.ts';
import { recordsMax } from '../record-file.ts';
import type { Action } from './read-action.ts';

/** The backend forgets a message id this long after the message's own timestamp. */
const deduplicationMs = 24 * 3_600_000;

/** The body's id wins; a header counts only as a UUIDv4 with dashes. Without an id the message cannot be told from a repeat of it. */
export function messageIdOf(
  action: Action,
  header: string | undefined,
): { readonly id: string | undefined; readonly warning: string | undefined } {
  if (header !== undefined && !isUuid4(header)) {
    return { id: action.id, warning: 'the header rh-message-id is no UUIDv4' };
  }
  if (action.id !== undefined && header !== undefined && action.id !== header) {
    return { id: action.id, warning: 'the header rh-message-id differs from id' };
  }
  const id = action.id ?? header;
  return { id, warning: id === undefined ? 'no id: a repeat would be notified again' : undefined };
}

export interface Deduplicator {
  /** Remembers the id when it is new; a message without an id is always new. */
  isNew(action: Action, id: string | undefined, now: Date): boolean;
}

export function createDeduplicator(): Deduplicator {
  const deleteAfterMs = new Map<string, number>();
  return {
    isNew(action, id, now) {
      if (id === undefined) return true;
      const nowMs = now.getTime();
      const key = `${action.bundle}/${action.application}/${action.eventType}/${id}`;
      // The hosted one keeps a row that is over until its next cleaning; that it is forgotten at once is the harder case.
      if ((deleteAfterMs.get(key) ?? 0) > nowMs) return false;
      deleteAfterMs.set(key, action.timestampMs + deduplicationMs);
      if (deleteAfterMs.size > recordsMax) deleteAfterMs.delete(deleteAfterMs.keys().next().value!);
      return true;
    },
  };
}
