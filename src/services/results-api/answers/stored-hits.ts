/** The hits of a stored report, as far as answers show them. What is no hit is left out: a report is shown as well as it can be read. */
import { isJsonObject, type JsonObject } from '../../../encoding/json-text.ts';

export interface StoredHit {
  /** `module.report`. */
  readonly component: string;
  readonly errorKey: string;
  readonly details: JsonObject;
}

/** Each issue once, in the order of the report; undefined for a text that is no report. */
export function readHits(text: string): readonly StoredHit[] | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(document)) return undefined;
  const items = document['reports'] ?? [];
  if (!Array.isArray(items)) return undefined;
  const hits = new Map<string, StoredHit>();
  for (const item of items) {
    if (!isJsonObject(item)) continue;
    const { component, key, details } = item;
    if (typeof component !== 'string' || typeof key !== 'string') continue;
    const identity = `${component}\0${key}`;
    if (hits.has(identity)) continue;
    hits.set(identity, { component, errorKey: key, details: isJsonObject(details) ? details : {} });
  }
  return [...hits.values()];
}
