/** The roles of project administrators and editors, from `cluster-scoped-resources/rbac.authorization.k8s.io/clusterroles/`. Source: data-pipeline.md 7.4, 7.5. */
import type { JsonValue } from '../../../encoding/json-text.ts';
import type { ArchiveView } from '../archive-view.ts';
import { listAt } from '../json-access.ts';
import { namedResourcesIn } from './resources.ts';

interface RoleRule {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  /** A resource, or a subresource as `builds/custom`. */
  readonly resources: readonly string[];
}

interface ClusterRole {
  readonly name: string;
  readonly rules: readonly RoleRule[];
}

/** Absent when the archive holds none. In order of their paths. */
export function readClusterRoles(archive: ArchiveView): readonly ClusterRole[] | undefined {
  const directory = 'cluster-scoped-resources/rbac.authorization.k8s.io/clusterroles';
  const roles = namedResourcesIn(archive, directory).map(({ name, resource }) => ({
    name,
    rules: listAt(resource, 'rules').map((rule) => ({
      verbs: textsAt(rule, 'verbs'),
      apiGroups: textsAt(rule, 'apiGroups'),
      resources: textsAt(rule, 'resources'),
    })),
  }));
  return roles.length === 0 ? undefined : roles;
}

function textsAt(value: JsonValue, member: string): string[] {
  return listAt(value, member).filter((text) => typeof text === 'string');
}
