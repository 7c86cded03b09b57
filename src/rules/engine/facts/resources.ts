/**
 * Kubernetes resources as archives hold them, one JSON object each. What is at a resource's path and is none is rejected, so that the rules
 * that need it are listed as having a broken input and nobody takes a missing finding for a mended cluster. Source: data-pipeline.md 7.4.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../../../encoding/json-text.ts';
import type { ArchiveView } from '../archive-view.ts';
import { listAt, nameAt, textAt } from '../json-access.ts';

interface NamedResource {
  readonly name: string;
  readonly resource: JsonObject;
}

/** The resource at a path: an object with a `spec` or a `status`. Undefined when it is absent or broken. */
export function resourceAt(archive: ArchiveView, path: string): JsonObject | undefined {
  const document = archive.json(path);
  if (isJsonObject(document) && (Object.hasOwn(document, 'spec') || Object.hasOwn(document, 'status'))) return document;
  archive.reject(path);
  return undefined;
}

/** The named resources directly in a directory, of files whose name begins with a text, in order of their paths. */
export function namedResourcesIn(archive: ArchiveView, directory: string, prefix = ''): NamedResource[] {
  return archive.jsonFilesIn(directory).flatMap((path) => {
    if (!path.startsWith(prefix, directory.length + 1)) return [];
    return namedResourceAt(archive, path) ?? [];
  });
}

/** Undefined when it is absent or broken. */
export function namedResourceAt(archive: ArchiveView, path: string): NamedResource | undefined {
  const resource = archive.json(path);
  const name = nameAt(resource, 'metadata', 'name');
  if (name !== undefined && isJsonObject(resource)) return { name, resource };
  archive.reject(path);
  return undefined;
}

const braceOpen = 0x7b;
const braceClose = 0x7d;
const spaceMax = 0x20;

/**
 * Whether the bytes look like a whole object with such a member, which is what can be said of a resource without parsing it. Half of what an
 * archive costs is JSON, and most of its resources hold nothing that a rule asks for: a reader that looks for something rare searches the
 * bytes for it, and parses what has it, or does not look like this.
 */
export function looksWhole(bytes: Buffer, member: 'metadata' | 'spec' = 'metadata'): boolean {
  let first = 0;
  let last = bytes.length - 1;
  while (first < last && bytes[first]! <= spaceMax) first += 1;
  while (last > first && bytes[last]! <= spaceMax) last -= 1;
  return bytes[first] === braceOpen && bytes[last] === braceClose && bytes.includes(`"${member}"`);
}

/** A status condition in the shape that rule details and templates use. A type, not an interface, so that it is assignable to JSON details as it is. */
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
