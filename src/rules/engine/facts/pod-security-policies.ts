/** Names of the pod security policies, from `config/psp_names.json`. Source: data-pipeline.md 7.4. */
import type { ArchiveView } from '../archive-view.ts';
import { nameAt } from '../json-access.ts';

const path = 'config/psp_names.json';

/** In order, without repeats. Absent when the file is: Kubernetes knows none since 1.25, and neither does the operator. */
export function readPodSecurityPolicies(archive: ArchiveView): readonly string[] | undefined {
  const document = archive.json(path);
  if (!Array.isArray(document)) {
    archive.reject(path);
    return undefined;
  }
  return [...new Set(document.flatMap((name) => nameAt(name) ?? []))].sort();
}
