/** What a rule may answer, and the constructors it answers with. Source: data-pipeline.md 4.3. */
import type { JsonObject } from '../../encoding/json.ts';

export type Verdict =
  /** Something is wrong; becomes an item of `reports`. */
  | { readonly type: 'rule'; readonly key: string; readonly details: JsonObject }
  | { readonly type: 'pass'; readonly key: string; readonly details: JsonObject }
  | { readonly type: 'info'; readonly key: string; readonly details: Readonly<Record<string, string>> }
  /** Nothing to say. */
  | { readonly type: 'none' };

/** `details` is what templates see as `pydata`, besides `type` and `error_key`, which the engine adds. */
export function makeFail(key: string, details: JsonObject = {}): Verdict {
  return { type: 'rule', key, details };
}

export function makePass(key: string, details: JsonObject = {}): Verdict {
  return { type: 'pass', key, details };
}

/** Values are text: the results aggregator decodes them into a string map. */
export function makeInfo(key: string, details: Readonly<Record<string, string>> = {}): Verdict {
  return { type: 'info', key, details };
}

export function makeNone(): Verdict {
  return { type: 'none' };
}
