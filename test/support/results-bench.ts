/** The results API on a database that holds what a test says, and tokens of several readers. */

import type { ReadArchiveConditions } from '../../src/contracts/cluster-conditions.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { loadConfig } from '../../src/platform/config/load-config.ts';
import { connectDatabase } from '../../src/platform/database/connect-database.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { createSilentTelemetry } from '../../src/platform/telemetry/telemetry.ts';
import { resultsOptions, resultsSettings } from '../../src/services/results-api/config.ts';
import { startResultsApi } from '../../src/services/results-api/service.ts';
import { sha256, tokensFile } from './operator-tokens.ts';
import { createTestDatabase, createTestRole, type TestDatabase, type TestRole } from './postgres.ts';

export const R2 = '/api/insights-results-aggregator/v2';
export const R1 = '/api/insights-results-aggregator/v1';

/** Rules of the catalogue that tests let clusters have. */
export const moduleA = 'ccx_rules_ocp.external.rules.nodes_requirements_check';
export const keyA = 'NODES_MINIMUM_REQUIREMENTS_NOT_MET';

/** Two clusters of organization 1, one of organization 2. */
export const clusterA = '11111111-1111-4111-8111-111111111111';
export const clusterB = '22222222-2222-4222-8222-222222222222';
export const foreignCluster = '33333333-3333-4333-8333-333333333333';

/** Each reader's token is its name. `unbound` uploaded for cluster B first. */
const tokens = [
  { name: 'cluster-a', org_id: '1', cluster_id: clusterA },
  { name: 'cluster-a-writes', org_id: '1', cluster_id: clusterA, scopes: ['cluster', 'write'] },
  { name: 'cluster-b', org_id: '1', cluster_id: clusterB },
  { name: 'unbound', org_id: '1' },
  { name: 'stranger', org_id: '1' },
  { name: 'hub', org_id: '1', scopes: ['organization'] },
  { name: 'admin', org_id: '1', scopes: ['organization', 'write'] },
  { name: 'foreign', org_id: '2', cluster_id: foreignCluster },
  { name: 'odd-hub', org_id: '2000000000', scopes: ['organization'] },
  { name: 'foreign-hub', org_id: '2', scopes: ['organization', 'write'] },
] as const;
export type ReaderName = (typeof tokens)[number]['name'];

export interface ResultsAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came.
  readonly body: any;
}

export interface ResultsBench {
  readonly database: Database;
  /** Of the database, as the service logs in. */
  readonly databaseUrl: string;
  readonly url: string;
  /** `path` below `/api/insights-results-aggregator/v2`, or a whole one. */
  ask(path: string, reader?: ReaderName, init?: RequestInit): Promise<ResultsAnswer>;
  end(): Promise<void>;
}

interface BenchOptions {
  readonly sets?: readonly string[];
  readonly settings?: Readonly<Record<string, string>>;
  readonly archives?: ReadArchiveConditions;
  /** URL of the database as the service sees it. */
  readonly through?: (url: string) => Promise<string>;
  /** What the user that the service logs in as may do; without, it owns the tables. */
  readonly grants?: (user: string) => readonly string[];
}

export async function startResultsBench(options: BenchOptions = {}): Promise<ResultsBench> {
  const {
    sets = ['records', 'trace', 'writer', 'notifier'],
    settings = {},
    through = async (url: string) => url,
    grants,
  } = options;
  const clock = createSystemClock();
  const test: TestDatabase = await createTestDatabase({ migrated: true, sets });
  const role: TestRole | undefined = grants === undefined ? undefined : await createTestRole(test, grants);
  const databaseUrl = await through(role?.url ?? test.url);
  const file = tokensFile({ tokens: tokens.map((token) => ({ ...token, sha256: sha256(token.name) })) });
  const flags = { 'http.host': '127.0.0.1', 'http.port': '0', 'gateway.tokens_file': file, ...settings };
  const { config } = loadConfig(resultsOptions, { env: {}, flags });
  const database = connectDatabase({
    url: databaseUrl,
    applicationName: 'results',
    connectionsMax: 4,
    clock,
  });
  const service = await startResultsApi(resultsSettings(config), {
    ...{ database, clock, version: 'test' },
    ...(options.archives === undefined ? {} : { archives: options.archives }),
    telemetry: createSilentTelemetry('results'),
  });
  return {
    database: test.database,
    databaseUrl,
    url: service.url,
    async ask(path, reader, init = {}) {
      const headers = { ...(reader === undefined ? {} : { authorization: `Bearer ${reader}` }), ...init.headers };
      const address = `${service.url}${path.startsWith('/api/') ? path : `${R2}${path}`}`;
      const answer = await fetch(address, { redirect: 'manual', ...init, headers });
      const text = await answer.text();
      const isJson = text !== '' && answer.headers.get('content-type')?.startsWith('application/json') === true;
      return { status: answer.status, headers: answer.headers, text, body: isJson ? JSON.parse(text) : undefined };
    },
    async end() {
      await service.stop();
      await database.close();
      await role?.remove();
      await test.drop();
    },
  };
}

export interface SeededReport {
  readonly orgId: number;
  readonly cluster: string;
  /** Timestamp, UTC. */
  readonly at: string;
  readonly requestId?: string;
  readonly hits: readonly { readonly module: string; readonly key: string; readonly details?: object }[];
  readonly firstSeen?: string;
  readonly risk?: number;
}

/** As writer and notification service leave it; `bare`: as the reference's writer does. */
export async function seedReport(database: Database, report: SeededReport, { bare = false } = {}): Promise<void> {
  const { orgId, cluster, at, requestId = '', hits, firstSeen = at, risk = 3 } = report;
  const items = hits.map(({ module, key, details = {} }) => ({
    ...{ component: `${module}.report`, key, type: 'rule', links: {}, tags: [] },
    details: { type: 'rule', error_key: key, ...details },
  }));
  await database.query('INSERT INTO new_reports VALUES ($1, 1, $2, $3, $4, 0)', [
    ...[orgId, cluster, JSON.stringify({ reports: items }), at],
  ]);
  if (bare) return;
  await database.query(
    `INSERT INTO ccx.report_facts (org_id, cluster, updated_at, request_id, last_checked, gathered_at, cluster_version)
     VALUES ($1, $2, $3, $4, $3, $3::timestamp - interval '1 minute', '4.19.1')`,
    [orgId, cluster, at, requestId],
  );
  await database.query(
    `INSERT INTO ccx.clusters (org_id, cluster, version, last_report_at, issues_report_at, state_since) VALUES ($1, $2, '4.19.1', $3, $3, $3)
     ON CONFLICT (org_id, cluster) DO UPDATE SET last_report_at = excluded.last_report_at, issues_report_at = excluded.issues_report_at`,
    [orgId, cluster, at],
  );
  for (const { module, key } of hits)
    await database.query(
      `INSERT INTO ccx.issues (org_id, cluster, type, component, error_key, state, total_risk, first_seen_at, appeared_at, changed_at)
       VALUES ($1, $2, 'rule', $3, $4, 'open', $6, $5, $5, $5) ON CONFLICT DO NOTHING`,
      [orgId, cluster, `${module}.report`, key, firstSeen, risk],
    );
}

export async function seedOwner(
  database: Database,
  { cluster, orgId, token }: { readonly cluster: string; readonly orgId: number; readonly token?: ReaderName },
): Promise<void> {
  await database.query(
    'INSERT INTO ccx.cluster_owners (cluster, org_id, token_sha256, since) VALUES ($1, $2, $3, now())',
    [...[cluster, orgId, token === undefined ? null : sha256(token)]],
  );
}
