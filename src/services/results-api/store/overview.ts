/** How many clusters have what, over all that somebody may read: each cluster is counted once for everything that its issues have. */
import { TABLE_ISSUES } from '../../../contracts/tables.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import { type Visible, visible } from './lists.ts';
import { isDisabledForCluster, isDisabledForOrganization } from './sql.ts';

/** A rule's key, and its marks. */
interface MarkedRule {
  readonly component: string;
  readonly errorKey: string;
  readonly marks: readonly string[];
}

/** Bits of a bigint, whose sign is left alone. */
const marksAtOnceMax = 62;

/** By mark; those that no cluster has are not there. Disabled issues do not count. */
export async function countClustersByMark(
  queryable: Queryable,
  who: Visible,
  rules: readonly MarkedRule[],
): Promise<ReadonlyMap<string, number>> {
  const marks = [...new Set(rules.flatMap((rule) => rule.marks))];
  const counts = new Map<string, number>();
  for (let start = 0; start < marks.length; start += marksAtOnceMax)
    await countSome(queryable, who, rules, { marks: marks.slice(start, start + marksAtOnceMax), counts });
  return counts;
}

/** The marks of each cluster become one number, and clusters with the same are counted together: few rows come back, however many clusters. */
async function countSome(
  queryable: Queryable,
  who: Visible,
  rules: readonly MarkedRule[],
  { marks, counts }: { readonly marks: readonly string[]; readonly counts: Map<string, number> },
): Promise<void> {
  const { sql, values } = visible('i', who);
  const bitsOf = (rule: MarkedRule) =>
    rule.marks.reduce((bits, mark) => (marks.includes(mark) ? bits | (1n << BigInt(marks.indexOf(mark))) : bits), 0n);
  const { rows } = await queryable.query<{ bits: bigint; clusters: number }>(
    `SELECT bits, count(*)::int AS clusters
       FROM (SELECT i.cluster, bit_or(rule.bits) AS bits
               FROM ${TABLE_ISSUES} AS i
               JOIN unnest($3::text[], $4::text[], $5::bigint[]) AS rule (component, error_key, bits)
                 ON rule.component = i.component AND rule.error_key = i.error_key
              WHERE ${sql} AND i.state = 'open' AND NOT ${isDisabledForCluster} AND NOT ${isDisabledForOrganization}
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
