/**
 * Which of our records this database has. Beside the services that ours take the place of, some are not kept: what they would say is then
 * not known, which is something else than none. A table that is empty says nothing of that, since any program of ours makes all of them.
 */
import {
  TABLE_ACKNOWLEDGEMENTS,
  TABLE_CLUSTER_OWNERS,
  TABLE_CLUSTERS,
  TABLE_ISSUES,
  TABLE_NEW_REPORTS,
  TABLE_REPORT_FACTS,
  TABLE_ROLES,
  TABLE_TRACE,
} from '../../../contracts/tables.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import { type Kept, missingRoles } from '../decide/kept.ts';

const tables = {
  reports: TABLE_NEW_REPORTS,
  facts: TABLE_REPORT_FACTS,
  clusters: TABLE_CLUSTERS,
  issues: TABLE_ISSUES,
  trace: TABLE_TRACE,
  roles: TABLE_ROLES,
  owners: TABLE_CLUSTER_OWNERS,
  acknowledgements: TABLE_ACKNOWLEDGEMENTS,
} as const;

type Readable = Readonly<Record<keyof typeof tables, boolean>>;

/** What is missing is looked for again after this: a role may have been started meanwhile. What is there stays. */
const missingLookedForMs = 5_000;

/** Remembers what was found. */
export class KeptRecords {
  readonly #options: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly onChange: (kept: Kept) => void };
  #found: { readonly kept: Kept; readonly readMs: number } | undefined;

  constructor(options: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly onChange: (kept: Kept) => void }) {
    this.#options = options;
  }

  async read(queryable: Queryable): Promise<Kept> {
    const { clock, onChange } = this.#options;
    const found = this.#found;
    const isEnough =
      found !== undefined &&
      (!Object.values(found.kept).includes(false) || clock.monotonicMs() - found.readMs < missingLookedForMs);
    if (isEnough) return found.kept;
    const { kept, isSure } = await readKept(queryable);
    if (!isSure) return kept;
    const isNews = found === undefined || String(missingRoles(found.kept)) !== String(missingRoles(kept));
    this.#found = { kept, readMs: clock.monotonicMs() };
    if (isNews) onChange(kept);
    return kept;
  }
}

/** Not sure: there is no report yet, by which it would show who stores them. */
async function readKept(queryable: Queryable): Promise<{ readonly kept: Kept; readonly isSure: boolean }> {
  const columns = Object.entries(tables).map(
    ([name, table]) => `coalesce(has_table_privilege(to_regclass('${table}'), 'SELECT'), false) AS ${name}`,
  );
  const { rows } = await queryable.query<Readable>(`SELECT ${columns.join(', ')}`);
  const readable = rows[0]!;
  const { rows: found } = await queryable.query<
    Pick<Kept, 'facts' | 'issues' | 'trace'> & { readonly isSure: boolean }
  >(
    `SELECT ${keptOf(readable, { by: 'writer', tables: ['facts'], row: TABLE_REPORT_FACTS })} AS facts,
            ${keptOf(readable, { by: 'notifier', tables: ['clusters', 'issues'], row: `${TABLE_CLUSTERS} WHERE issues_report_at IS NOT NULL` })} AS issues,
            ${keptOf(readable, { by: 'tracker', tables: ['trace'], row: TABLE_TRACE })} AS trace,
            ${readable.reports ? `EXISTS (SELECT FROM ${TABLE_NEW_REPORTS})` : 'false'} AS "isSure"`,
  );
  const { reports, owners, acknowledgements } = readable;
  const { isSure, ...ofRoles } = found[0]!;
  return { kept: { ...ofRoles, reports, owners, acknowledgements }, isSure };
}

/** SQL: its tables can be read, and it has written there, or runs, or there is nothing that it could have written about. */
function keptOf(
  readable: Readable,
  kept: { readonly by: string; readonly tables: readonly (keyof Readable)[]; readonly row: string },
): string {
  if (!kept.tables.every((name) => readable[name])) return 'false';
  const runs = readable.roles ? `EXISTS (SELECT FROM ${TABLE_ROLES} WHERE role = '${kept.by}')` : 'false';
  const nothingToSay = readable.reports ? `NOT EXISTS (SELECT FROM ${TABLE_NEW_REPORTS})` : 'true';
  return `(EXISTS (SELECT FROM ${kept.row}) OR ${runs} OR ${nothingToSay})`;
}
