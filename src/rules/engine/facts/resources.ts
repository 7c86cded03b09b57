/**
 * Kubernetes resources as archives hold them, one JSON object each. What is at a resource's path and is none is rejected, so that the rules
 * that need it are listed as having a broken input and nobody takes a missing finding for a mended cluster.
 */
import { isJsonObject, type JsonObject } from '../../../encoding/json-text.ts';
import type { ArchiveView } from '../archive-view.ts';
import { nameAt } from '../json-access.ts';

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

/** The named resources directly in a directory, in order of their paths. */
export function namedResourcesIn(archive: ArchiveView, directory: string): NamedResource[] {
  return archive.jsonFilesIn(directory).flatMap((path) => {
    const resource = archive.json(path);
    const name = nameAt(resource, 'metadata', 'name');
    if (name !== undefined && isJsonObject(resource)) return [{ name, resource }];
    archive.reject(path);
    return [];
  });
}
