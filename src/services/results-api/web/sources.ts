/** Where answers come from: reads of the database that see one moment, rule content, and what is kept at all. Made by `service.ts`. */
import type { RuleContentDirectory } from '../../../contracts/rule-content.ts';
import { decideClusterRead } from '../../../platform/auth/decide/access.ts';
import type { Connection, Database } from '../../../platform/database/database.ts';
import type { RuleGroup } from '../../../rules/content/rule-groups.ts';
import { type Kept, type MissingRole, wordsOfMissing } from '../decide/kept.ts';
import { readOnlyOrganization, type Visible } from '../store/lists.ts';
import { type OfCluster, readOwner, readReporter } from '../store/reports.ts';
import { type Call, refuse } from './route.ts';

export interface Sources {
  readonly database: Database;
  readonly groups: readonly RuleGroup[];
  /** In one transaction that only reads, with a time limit. */
  read<T>(work: (tx: Connection, kept: Kept) => Promise<T>): Promise<T>;
  /** Rejects with `CONTENT_UNAVAILABLE` where there never was any. */
  content(): Promise<RuleContentDirectory>;
}

/** The same for one that is not there and for one that is not to be seen. */
export function clusterNotFound(cluster: string): never {
  return refuse(404, 'CLUSTER_NOT_FOUND', `there is no report of cluster ${cluster} here`);
}

/** 404 where it is the operator that asks, to which that means "not yet"; else 501. */
export function requireKept(isKept: boolean, role: MissingRole, status: 404 | 501 = 501): void {
  if (!isKept) refuse(status, 'NOT_KEPT_HERE', wordsOfMissing(role));
}

/** Finds whose the cluster of the path is, for somebody who may read it. */
export async function onCluster<T>(
  { path, reader }: Pick<Call, 'path' | 'reader'>,
  sources: Pick<Sources, 'read'>,
  work: (tx: Connection, where: OfCluster, kept: Kept) => Promise<T>,
): Promise<T> {
  const { cluster } = path;
  return await sources.read(async (tx, kept) => {
    requireKept(kept.reports, 'writer');
    const where = await readableCluster(tx, { cluster, reader }, kept);
    return where === undefined ? clusterNotFound(cluster) : await work(tx, where, kept);
  });
}

/** Undefined where there is none, or not for this reader. */
export async function readableCluster(
  tx: Connection,
  { cluster, reader }: { readonly cluster: string; readonly reader: Call['reader'] },
  kept: Kept,
): Promise<OfCluster | undefined> {
  const owner = await readOwner(tx, cluster, kept);
  const decision = decideClusterRead(reader, { cluster, owner });
  if (!decision.allowed) return undefined;
  // One that nobody owns is there by its reports; a cluster that asks for itself may have none yet.
  const isSure = owner !== undefined || reader.reach.kind === 'cluster';
  const orgId = isSure ? decision.orgId : await readReporter(tx, cluster, decision.orgId);
  return orgId === undefined ? undefined : { orgId, cluster };
}

/** What of which organization somebody may list. Whoever may see everything says which, where there are several. */
export async function visibleTo(
  { reader }: Pick<Call, 'reader'>,
  { orgId: named }: { readonly orgId: number | undefined },
  { tx, kept }: { readonly tx: Connection; readonly kept: Kept },
): Promise<Visible> {
  const { reach } = reader;
  if (reach.kind === 'nothing') return refuse(403, 'NOTHING_GRANTED', 'nothing may be read by this');
  if (reach.kind !== 'everything') {
    if (named !== undefined && named !== reach.orgId)
      refuse(404, 'ORGANIZATION_NOT_FOUND', `there is no organization ${named} here`);
    return { orgId: reach.orgId, reach };
  }
  const only = named ?? (kept.reports ? await readOnlyOrganization(tx) : null);
  if (only === undefined)
    refuse(400, 'ORGANIZATION_NEEDED', 'there are several organizations: say which with ?org_id=');
  // Of none there is nothing to list.
  return { orgId: only ?? 0, reach };
}
