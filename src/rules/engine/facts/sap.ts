/**
 * SAP Data Intelligence, of which the operator gathers more than of other products. Every fact here is absent on a cluster without it: it
 * gathers none of these files there. Source: data-pipeline.md 7.4, 7.5.
 */
import { isJsonObject } from '../../../encoding/json-text.ts';
import type { ArchiveView } from '../archive-view.ts';
import { listAt, nameAt, textAt } from '../json-access.ts';
import { logHolds } from './logs.ts';

interface DataHub {
  /** The namespace of an installation. */
  readonly namespace: string;
  readonly name: string;
  /** When backups are made, as a cron schedule; empty when none are. */
  readonly backupSchedule: string;
}

const dataHubs = 'customresources/installers.datahub.sap.com/datahubs';

/** In order of namespace and name. */
export function readSapDataHubs(archive: ArchiveView): readonly DataHub[] | undefined {
  const found: DataHub[] = [];
  for (const path of dataHubFiles(archive)) {
    const resource = archive.json(path);
    const name = nameAt(resource, 'metadata', 'name');
    if (name === undefined) archive.reject(path);
    else
      found.push({
        namespace: namespaceOf(path),
        name,
        backupSchedule: textAt(resource, 'spec', 'backupCronSchedule') ?? '',
      });
  }
  return found.length === 0 ? undefined : found;
}

interface SapPods {
  /** Observers that are gathered because something is wrong with them, as `<namespace>/<pod>`. */
  readonly failingObservers: readonly string[];
  /** Pods of an installation that could not set up packet filtering, as `<namespace>/<pod>`. */
  readonly withoutPacketFilter: readonly string[];
}

/** What iptables says when its kernel module is not loaded and the pod may not load it; the operator gathers logs for it. */
const packetFilterComplaint = "can't initialize iptables table";

export function readSapPods(archive: ArchiveView): SapPods | undefined {
  const namespaces = [...new Set(dataHubFiles(archive).map(namespaceOf))];
  if (namespaces.length === 0) return undefined;
  const failingObservers = archive
    .below('config/pod')
    .map((path) => /^config\/pod\/([^/]+)\/(sdi-observer-[^/]+)\.json$/.exec(path))
    .flatMap((match) => (match === null ? [] : [`${match[1]}/${match[2]}`]));
  const withoutPacketFilter = namespaces.flatMap((namespace) => {
    const logs = `config/pod/${namespace}/logs`;
    return archive
      .below(logs)
      .filter((path) => path.endsWith('/errors.log') && logHolds(archive, path, packetFilterComplaint))
      .map((path) => `${namespace}/${path.slice(logs.length + 1).split('/')[0]}`);
  });
  return { failingObservers, withoutPacketFilter };
}

/** Security context constraints that an installation must be allowed to use. */
export const SAP_CONSTRAINTS = ['anyuid', 'privileged'] as const;

interface SapGrants {
  /** Users and groups that may use the constraint, by either way of granting it. */
  readonly [constraint: string]: ReadonlySet<string>;
}

/** A constraint is missing from it when the archive does not hold it: then nobody knows who may use it. */
export function readSapGrants(archive: ArchiveView): SapGrants | undefined {
  const grants = SAP_CONSTRAINTS.flatMap((constraint): [string, ReadonlySet<string>][] => {
    const path = `config/securitycontextconstraint/${constraint}.json`;
    const resource = archive.json(path);
    if (nameAt(resource, 'metadata', 'name') === undefined) {
      archive.reject(path);
      return [];
    }
    const names = [...listAt(resource, 'users'), ...listAt(resource, 'groups')].flatMap((name) => textAt(name) ?? []);
    return [[constraint, new Set([...names, ...subjectsOf(archive, constraint)])]];
  });
  return grants.length === 0 ? undefined : Object.fromEntries(grants);
}

/** Those that the cluster role binding grants the constraint to; there is none before it was granted that way. */
function subjectsOf(archive: ArchiveView, constraint: string): string[] {
  const path = `config/clusterrolebinding/system_openshift_scc_${constraint}.json`;
  const binding = archive.json(path);
  if (!isJsonObject(binding)) archive.reject(path);
  const subjects = listAt(binding, 'subjects').flatMap((subject) => {
    const name = textAt(subject, 'name') ?? '';
    const namespace = textAt(subject, 'namespace');
    const isAccount = textAt(subject, 'kind') === 'ServiceAccount' && namespace !== undefined;
    return isAccount ? `system:serviceaccount:${namespace}:${name}` : name;
  });
  const names = [...listAt(binding, 'userNames'), ...listAt(binding, 'groupNames')].flatMap(
    (name) => textAt(name) ?? [],
  );
  return [...subjects, ...names];
}

function dataHubFiles(archive: ArchiveView): readonly string[] {
  return archive.below(dataHubs).filter((path) => /^[^/]+\/[^/]+\.json$/.test(path.slice(dataHubs.length + 1)));
}

function namespaceOf(path: string): string {
  return path.slice(dataHubs.length + 1).split('/')[0]!;
}
