/** Kubernetes status conditions in the shape that rule details and templates use. Source: data-pipeline.md 7.4. */
import type { JsonValue } from '../../../encoding/json-text.ts';
import { listAt, nameAt, textAt } from '../json-access.ts';

/** A type, not an interface, so that it is assignable to JSON details as it is. */
export type Condition = {
  /** From `"True"` and `"False"`; null when the condition is absent or unknown. */
  readonly status: boolean | null;
  readonly last_trans_time: string | null;
  readonly reason: string;
  readonly message: string;
};

const absentCondition: Condition = { status: null, last_trans_time: null, reason: '', message: '' };

/** The condition of that type below `status.conditions`. */
export function readCondition(resource: JsonValue | undefined, type: string): Condition {
  const condition = listAt(resource, 'status', 'conditions').find((item) => textAt(item, 'type') === type);
  if (condition === undefined) return absentCondition;
  const status = textAt(condition, 'status');
  return {
    status: status === 'True' ? true : status === 'False' ? false : null,
    last_trans_time: nameAt(condition, 'lastTransitionTime') ?? null,
    reason: textAt(condition, 'reason') ?? '',
    message: textAt(condition, 'message') ?? '',
  };
}
