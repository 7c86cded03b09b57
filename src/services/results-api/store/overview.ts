/** How many clusters have what, over all that somebody may read: each cluster is counted once for everything that its issues have. */
import { TABLE_ACKNOWLEDGEMENT_ENDS, TABLE_ACKNOWLEDGEMENTS, TABLE_ISSUES } from '../../../contracts/tables.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import { type Visible, visible } from './lists.ts';
import { inForce, isDisabledForCluster, isDisabledForOrganization } from './sql.ts';

/** A rule's key, and its marks. */
interface MarkedRule {
  readonly component: string;
  readonly errorKey: string;
  readonly marks: readonly string[];
}

/** What of an organization's issues is disabled, as far as it matters to how they are counted. */
interface Disabled {
  /** Another one whenever something else is in force: by a change, and by time. */
  readonly fingerprint: string;
  readonly forClusters: boolean;
  readonly forOrganization: boolean;
}

export async function readDisabledOf(queryable: Queryable, orgId: number): Promise<Disabled> {
  const { rows } = await queryable.query<Disabled>(
    `SELECT md5(coalesce(string_agg(a.id || ' ' || ended.count, ',' ORDER BY a.id), '')) AS fingerprint,
            coalesce(bool_or(a.cluster IS NOT NULL), false) AS "forClusters", coalesce(bool_or(a.cluster IS NULL), false) AS "forOrganization"
       FROM ${TABLE_ACKNOWLEDGEMENTS} AS a
      CROSS JOIN LATERAL (SELECT count(*) AS count FROM ${TABLE_ACKNOWLEDGEMENT_ENDS} AS e WHERE e.acknowledgement_id = a.id) AS ended
      WHERE a.org_id = $1 AND ${inForce}`,
    [orgId],
  );
  return rows[0]!;
}

/** Bits of a bigint, whose sign is left alone. */
const marksAtOnceMax = 62;

interface Counting {
  readonly rules: readonly MarkedRule[];
  readonly disabled: Pick<Disabled, 'forClusters' | 'forOrganization'>;
}

/** By mark; those that no cluster has are not there. Disabled issues do not count. */
export async function countClustersByMark(
  queryable: Queryable,
  who: Visible,
  { rules, disabled }: Counting,
): Promise<ReadonlyMap<string, number>> {
  const marks = [...new Set(rules.flatMap((rule) => rule.marks))];
  const counts = new Map<string, number>();
  for (let start = 0; start < marks.length; start += marksAtOnceMax)
    await countSome(queryable, who, { rules, disabled }, { marks: marks.slice(start, start + marksAtOnceMax), counts });
  return counts;
}

/** The marks of each cluster become one number, and clusters with the same are counted together: few rows come back, however many clusters. */
async function countSome(
  queryable: Queryable,
  who: Visible,
  { rules, disabled }: Counting,
  { marks, counts }: { readonly marks: readonly string[]; readonly counts: Map<string, number> },
): Promise<void> {
  const { sql, values } = visible('i', who);
  // Looking for what is disabled takes several times as long as counting, also where there is nothing of it.
  const without = [
    ...(disabled.forClusters ? [` AND NOT ${isDisabledForCluster}`] : []),
    ...(disabled.forOrganization ? [` AND NOT ${isDisabledForOrganization}`] : []),
  ].join('');
  const bitsOf = (rule: MarkedRule) =>
    rule.marks.reduce((bits, mark) => (marks.includes(mark) ? bits | (1n << BigInt(marks.indexOf(mark))) : bits), 0n);
  const { rows } = await queryable.query<{ bits: bigint; clusters: number }>(
    `SELECT bits, count(*)::int AS clusters
       FROM (SELECT i.cluster, bit_or(rule.bits) AS bits
               FROM ${TABLE_ISSUES} AS i
               JOIN unnest($3::text[], $4::text[], $5::bigint[]) AS rule (component, error_key, bits)
                 ON rule.component = i.component AND rule.error_key = i.error_key
              WHERE ${sql} AND i.state = 'open'${without}
              GROUP BY i.cluster) AS marked
      GROUP BY bits`,
    [
      ...values,
      rules.map(({ component }) => component),
      rules.map(({ errorKey }) => errorKey),
      rules.map((rule) => bitsOf(rule).toString()),
    ],
  );
  for (const { bits, clusters } of rows)
    for (const [index, mark] of marks.entries())
      if ((bits >> BigInt(index)) % 2n === 1n) counts.set(mark, (counts.get(mark) ?? 0) + clusters);
}
