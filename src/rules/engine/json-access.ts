/**
 * Reading values of unknown shape. Facts and rules use these for everything that comes out of an archive: each answers `undefined` (or
 * an empty list) where the value is absent or of another type, so no reader can be made to throw or to look at a prototype.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../../encoding/json-text.ts';

/** Kubernetes allows no longer name; what is longer comes from no cluster. */
export const nameCharactersMax = 253;

type Unknown = JsonValue | undefined;

/** The value at a path of member names, own properties only. */
export function field(value: Unknown, ...names: readonly string[]): Unknown {
  let current: Unknown = value;
  for (const name of names) {
    if (!isJsonObject(current) || !Object.hasOwn(current, name)) return undefined;
    current = current[name];
  }
  return current;
}

export function textAt(value: Unknown, ...names: readonly string[]): string | undefined {
  const found = field(value, ...names);
  return typeof found === 'string' ? found : undefined;
}

/** A name of an object, undefined when it is empty or longer than any name may be. */
export function nameAt(value: Unknown, ...names: readonly string[]): string | undefined {
  const name = textAt(value, ...names);
  return name === undefined || name === '' || name.length > nameCharactersMax ? undefined : name;
}

export function numberAt(value: Unknown, ...names: readonly string[]): number | undefined {
  const found = field(value, ...names);
  return typeof found === 'number' ? found : undefined;
}

export function listAt(value: Unknown, ...names: readonly string[]): readonly JsonValue[] {
  const found = field(value, ...names);
  return Array.isArray(found) ? found : [];
}

export function objectAt(value: Unknown, ...names: readonly string[]): JsonObject | undefined {
  const found = field(value, ...names);
  return isJsonObject(found) ? found : undefined;
}
