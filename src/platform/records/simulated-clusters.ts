/**
 * Everything that is known of simulated clusters is removed: by `ccx simulate --remove`, and by an all-in-one when a real
 * cluster has reported. What people did (`ccx.audit`) stays; archives in the object store go by their age.
 */
import { SIMULATED_CLUSTER_PREFIX } from '../../contracts/identifiers.ts';
import { TABLE_CLUSTERS, TABLE_NEW_REPORTS, TABLE_TRACE } from '../../contracts/tables.ts';
import type { Database, Queryable } from '../database/database.ts';
import { tableIsKept } from './report-facts.ts';

/** A service that was at work on such a cluster may have written a row behind the first pass. */
const passesMax = 5;

const isSimulated = `lower(cluster) LIKE '${SIMULATED_CLUSTER_PREFIX}%'`;

interface ClusterKinds {
  readonly simulated: boolean;
  readonly real: boolean;
}

/** Which kinds of clusters have a stored report, or had one that is remembered. */
export async function readClusterKinds(queryable: Queryable): Promise<ClusterKinds> {
  let kinds: ClusterKinds = { simulated: false, real: false };
  for (const table of [`public.${TABLE_NEW_REPORTS}`, TABLE_CLUSTERS]) {
    if (!(await tableIsKept(queryable, table, 'SELECT'))) continue;
    const { rows } = await queryable.query<ClusterKinds>(
      `SELECT EXISTS (SELECT FROM ${table} WHERE ${isSimulated}) AS simulated,
              EXISTS (SELECT FROM ${table} WHERE NOT (${isSimulated})) AS real`,
    );
    const [{ simulated, real }] = rows as [ClusterKinds];
    kinds = { simulated: kinds.simulated || simulated, real: kinds.real || real };
  }
  return kinds;
}

/**
 * From every table of ours and of the shared schema that names clusters, those of later releases too. Resolves to how many rows went from
 * which. Again and again until nothing is found, but only for so long: who goes on uploading simulated clusters is not waited for.
 */
export async function removeSimulatedClusters(database: Database): Promise<ReadonlyMap<string, number>> {
  const tables = await tablesOfClusters(database);
  const removed = new Map<string, number>();
  for (let pass = 0; pass < passesMax; pass += 1) {
    let found = 0;
    for (const table of tables) {
      const { rowCount } = await database.query(`DELETE FROM ${table} WHERE ${whereOf(table)}`);
      found += rowCount;
      if (rowCount > 0) removed.set(table, (removed.get(table) ?? 0) + rowCount);
    }
    if (found === 0) break;
  }
  return removed;
}

/** What happened to a request before its archive was opened names no cluster. */
function whereOf(table: string): string {
  if (table !== TABLE_TRACE) return isSimulated;
  return `request_id IN (SELECT request_id FROM ${TABLE_TRACE} WHERE ${isSimulated})`;
}

/** Those made last first, which is before what they refer to. */
async function tablesOfClusters(database: Database): Promise<readonly string[]> {
  const { rows } = await database.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, t.relname) AS name
       FROM pg_class AS t
       JOIN pg_namespace AS n ON n.oid = t.relnamespace
      WHERE n.nspname IN ('public', 'ccx') AND t.relkind IN ('r', 'p') AND NOT t.relispartition
        AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.oid AND a.attname = 'cluster' AND NOT a.attisdropped)
      ORDER BY t.oid DESC`,
  );
  return rows.map(({ name }) => name);
}
