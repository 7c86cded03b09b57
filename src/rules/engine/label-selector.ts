/** Kubernetes label selectors, as operators of a cluster apply them to their own resources. */
import type { JsonObject } from '../../encoding/json-text.ts';
import { listAt, objectAt, textAt } from './json-access.ts';

/** An empty selector matches nothing, as the machine config operator has it for pools. So does one with an operator that does not exist. */
export function selects(selector: JsonObject, labels: JsonObject): boolean {
  const wanted = Object.entries(objectAt(selector, 'matchLabels') ?? {});
  const expressions = listAt(selector, 'matchExpressions');
  if (wanted.length === 0 && expressions.length === 0) return false;
  return (
    wanted.every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value) &&
    expressions.every((expression) => {
      const name = textAt(expression, 'key') ?? '';
      const value = textAt(labels, name);
      const values = listAt(expression, 'values');
      switch (textAt(expression, 'operator')) {
        case 'Exists':
          return value !== undefined;
        case 'DoesNotExist':
          return value === undefined;
        case 'In':
          return value !== undefined && values.includes(value);
        case 'NotIn':
          return value === undefined || !values.includes(value);
        default:
          return false;
      }
    })
  );
}
