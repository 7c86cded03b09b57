/**
 * Which organization a cluster belongs to (`ccx.cluster_owners`), for those who write it: ingress at an upload that proves it, and a person
 * with `ccx clusters`. Every change is one statement, so that of two first uploads at once one wins.
 */
import { TABLE_CLUSTER_OWNERS, TABLE_NEW_REPORTS } from '../../contracts/tables.ts';
import { migrateCcx } from '../database/ccx-migrations.ts';
import type { Database } from '../database/database.ts';
import { type ByWhom, recordAudit } from './audit.ts';
import { closeCluster } from './clusters.ts';

export interface ClusterOwner {
  readonly orgId: number;
  /** Settled by a token that is bound to the cluster, or by a person. */
  readonly bound: boolean;
}

interface OwnedCluster extends ClusterOwner {
  readonly cluster: string;
  /** UTC, as PostgreSQL writes it. */
  readonly since: string;
  /** Null where no token brought it. */
  readonly tokenSha256: string | null;
}

interface ClusterClaim extends ClusterOwner {
  /** Lower case. */
  readonly cluster: string;
  readonly tokenSha256: string | undefined;
}

export class ClusterOwners {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Brings the table up. Rejects with the codes of `migrateCcx`. */
  async prepare(): Promise<void> {
    await migrateCcx(this.#database, 'records');
  }

  /**
   * Once, for an installation that had no owners yet: each cluster goes to the organization of its oldest report. Resolves to how many.
   * Without reports in this database, or the right to read them, there is nothing to go by.
   */
  async adoptReports(): Promise<number> {
    const { rows } = await this.#database.query<{ readable: boolean }>(
      `SELECT coalesce(has_table_privilege(to_regclass($1), 'SELECT'), false) AS readable`,
      [TABLE_NEW_REPORTS],
    );
    if (rows[0]?.readable !== true) return 0;
    const { rowCount } = await this.#database.query(
      `INSERT INTO ${TABLE_CLUSTER_OWNERS} (cluster, org_id, since)
       SELECT DISTINCT ON (cluster) cluster, org_id, updated_at
         FROM ${TABLE_NEW_REPORTS}
        WHERE NOT EXISTS (SELECT FROM ${TABLE_CLUSTER_OWNERS})
        ORDER BY cluster, updated_at, org_id
       ON CONFLICT (cluster) DO NOTHING`,
    );
    return rowCount;
  }

  async find(cluster: string): Promise<ClusterOwner | undefined> {
    const { rows } = await this.#database.query<ClusterOwner>(
      `SELECT org_id AS "orgId", bound FROM ${TABLE_CLUSTER_OWNERS} WHERE cluster = $1`,
      [cluster],
    );
    return rows[0];
  }

  /** The newest ones, at most `count`. */
  async newest(count: number): Promise<OwnedCluster[]> {
    const { rows } = await this.#database.query<OwnedCluster>(
      `SELECT cluster, org_id AS "orgId", bound, since::text, token_sha256 AS "tokenSha256"
         FROM ${TABLE_CLUSTER_OWNERS} ORDER BY since DESC, cluster LIMIT $1`,
      [count],
    );
    return rows;
  }

  /** A cluster of nobody is the claimant's; a bound claim replaces an unbound owner. Resolves to who owns it then. */
  async claim(claim: ClusterClaim, nowMicros: bigint): Promise<ClusterOwner> {
    for (;;) {
      const { rows } = await this.#database.query<ClusterOwner>(
        `INSERT INTO ${TABLE_CLUSTER_OWNERS} AS owner (cluster, org_id, token_sha256, bound, since)
         VALUES ($1, $2, $3, $4, ${fromMicros('$5')})
         ON CONFLICT (cluster) DO UPDATE
            SET org_id = excluded.org_id, token_sha256 = excluded.token_sha256, bound = true,
                since = CASE WHEN owner.org_id = excluded.org_id THEN owner.since ELSE excluded.since END
          WHERE excluded.bound AND NOT owner.bound
         RETURNING org_id AS "orgId", bound`,
        [claim.cluster, claim.orgId, claim.tokenSha256 ?? null, claim.bound, nowMicros],
      );
      // No row: somebody else's claim stands. It can only be gone again where a person took it away in this moment.
      const owner = rows[0] ?? (await this.find(claim.cluster));
      if (owner !== undefined) return owner;
    }
  }

  /**
   * By a person, whatever a token says; audited. The cluster is retired for every other organization that it reported for. Resolves to who
   * owned it before.
   */
  async move(cluster: string, orgId: number, nowMicros: bigint, byWhom: ByWhom): Promise<ClusterOwner | undefined> {
    return await this.#database.transaction(async (tx) => {
      const { rows } = await tx.query<ClusterOwner>(
        `SELECT org_id AS "orgId", bound FROM ${TABLE_CLUSTER_OWNERS} WHERE cluster = $1 FOR UPDATE`,
        [cluster],
      );
      await tx.query(
        `INSERT INTO ${TABLE_CLUSTER_OWNERS} (cluster, org_id, bound, since) VALUES ($1, $2, true, ${fromMicros('$3')})
         ON CONFLICT (cluster) DO UPDATE
            SET org_id = excluded.org_id, token_sha256 = NULL, bound = true, since = excluded.since`,
        [cluster, orgId, nowMicros],
      );
      // What it reported for others is not theirs any more.
      await closeCluster(tx, { cluster, nowMicros, exceptOf: orgId });
      const [before, after] = [rows[0], { orgId, bound: true }];
      await recordAudit(tx, { ...byWhom, action: 'clusters move', subject: cluster, before, after });
      return before;
    });
  }
}

/** UTC whatever the session's time zone. */
function fromMicros(parameter: string): string {
  return `timestamp 'epoch' + ${parameter}::bigint * interval '1 microsecond'`;
}
