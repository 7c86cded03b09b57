/**
 * Made-up archives: files as values, and edits that turn a healthy cluster into one with a fault. Every rule's `samples.ts` is written
 * with these; its test, the catalog's test and the cluster simulator run them.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../../encoding/json-text.ts';
import type { Rule } from '../engine/rule.ts';

/** Path → content. What ends in `.json` is written as JSON, anything else is text. Never changed in place. */
export type SampleFiles = Readonly<Record<string, JsonValue>>;

/** One fault, or something that looks like one and is none. Pure; applied to the files of any healthy cluster. */
export type Edit = (files: SampleFiles) => SampleFiles;

export interface Sample {
  /** Completes "fires on …" or "says nothing about …". */
  readonly title: string;
  readonly edit: Edit;
  /** When the archive was gathered, where that matters; RFC 3339. */
  readonly now?: string;
}

export interface FiringSample extends Sample {
  /** What the rule must say besides `type` and `error_key`; left out where it depends on the cluster's names. */
  readonly details?: JsonObject;
  /** Error keys of other rules that the same fault fires. */
  readonly also?: readonly string[];
  /** What it says of the whole cluster, such as `release` or `platform`: of samples that settle the same a cluster has one. */
  readonly settles?: readonly string[];
}

export interface RuleSamples {
  readonly rule: Rule;
  /** For every error key of the rule at least one; the first is the one that the cluster simulator uses. */
  readonly fires: Readonly<Record<string, readonly [FiringSample, ...FiringSample[]]>>;
  readonly silent: readonly Sample[];
}

/** As an opened archive has them. */
export function toArchiveFiles(files: SampleFiles): Map<string, Buffer> {
  const entries = Object.entries(files).map(([path, content]): [string, Buffer] => [
    path,
    Buffer.from(path.endsWith('.json') ? JSON.stringify(content) : String(content), 'utf8'),
  ]);
  return new Map(entries);
}

/** Several edits as one, from left to right. */
export function chain(...edits: readonly Edit[]): Edit {
  return (files) => edits.reduce((current, edit) => edit(current), files);
}

/** Adds a file, or replaces it. */
export function withFile(path: string, content: JsonValue): Edit {
  return (files) => ({ ...files, [path]: content });
}

/** Removes every file whose path is in the list or below a folder of it. */
export function withoutFiles(...paths: readonly string[]): Edit {
  return (files) =>
    Object.fromEntries(
      Object.entries(files).filter(([path]) => !paths.some((gone) => path === gone || path.startsWith(`${gone}/`))),
    );
}

/** Sets a member of a JSON file, making the objects on the way. */
export function withValue(path: string, members: readonly string[], value: JsonValue): Edit {
  return (files) => ({ ...files, [path]: set(files[path], members, value) });
}

/** Adds elements to a list of a JSON file; no members means the file itself is the list. */
export function withElements(path: string, members: readonly string[], ...elements: readonly JsonValue[]): Edit {
  return (files) => {
    const list = members.reduce<JsonValue | undefined>(
      (value, name) => (isJsonObject(value) ? value[name] : undefined),
      files[path],
    );
    return { ...files, [path]: set(files[path], members, [...(Array.isArray(list) ? list : []), ...elements]) };
  };
}

/** Replaces the condition of that type, or adds it. */
export function withCondition(path: string, condition: JsonObject): Edit {
  return (files) => {
    const resource = files[path];
    const status = isJsonObject(resource) && isJsonObject(resource['status']) ? resource['status'] : {};
    const conditions = Array.isArray(status['conditions']) ? (status['conditions'] as readonly JsonValue[]) : [];
    const others = conditions.filter((other) => !isJsonObject(other) || other['type'] !== condition['type']);
    return { ...files, [path]: set(resource, ['status', 'conditions'], [...others, condition]) };
  };
}

function set(value: JsonValue | undefined, members: readonly string[], leaf: JsonValue): JsonValue {
  const [name, ...rest] = members;
  if (name === undefined) return leaf;
  const object: JsonObject = isJsonObject(value) ? value : {};
  return { ...object, [name]: set(object[name], rest, leaf) };
}
