/**
 * What a run of the notification service costs when nothing is new, which is what most runs find: all clusters compared by the server in
 * sets, against the naive way, which asks for every cluster by itself, as the reference does. The first run, in which everything is new,
 * is told as a figure.
 */

import { TABLE_NEW_REPORTS, TABLE_REPORTED } from '../src/contracts/tables.ts';
import { CcxError } from '../src/encoding/ccx-error.ts';
import type { Clock } from '../src/platform/clock/clock.ts';
import { loadConfig } from '../src/platform/config/load-config.ts';
import type { Database } from '../src/platform/database/database.ts';
import { createSilentTelemetry } from '../src/platform/telemetry/telemetry.ts';
import { CATALOG_CONTENT_ROOT } from '../src/rules/catalog/content-root.ts';
import { createFolderContent } from '../src/rules/content/folder-content.ts';
import type { NotificationServiceSettings } from '../src/services/notification-service/config.ts';
import type { Target } from '../src/services/notification-service/ports.ts';
import {
  type NotificationService,
  notificationServiceRole,
  startNotificationService,
} from '../src/services/notification-service/service.ts';
import type { BenchContext, Benchmark, Contender } from './support/benchmark.ts';
import { countStatements } from './support/count-statements.ts';
import { addRecentReports } from './support/recent-reports.ts';
import { benchReport } from './support/report-messages.ts';

/** Beside those of the first run. */
const moreClusters = 40_000;

/** Longer than any benchmark: the service runs when it is told to, and only then. */
const neverMs = 24 * 3_600_000;

export const benchmark: Benchmark = {
  description: 'a run of the notification service with nothing new against one SELECT per cluster',
  async run(context) {
    const { clock } = context;
    const { database } = await context.createDatabase();
    const clusters = context.size(4_000, 20);
    const follow = countStatements(database);
    const once = countStatements(database);
    const following = await startService(context, follow.counted, 'follow');
    // Behind the run that it began with, which finds no report at all.
    await following.runOnce();
    const report = JSON.stringify({ reports: benchReport(clock).reports });
    await storeReports(database, clusters, report);
    let delivered = 0;
    const firstMs = await timed(clock, async () => {
      ({ delivered } = await following.runOnce());
    });
    if (delivered !== clusters) throw new Error(`${delivered} of ${clusters} clusters were told about`);
    await repeatReports(database);
    const againMs = await timed(clock, () => following.runOnce());
    const oneShot = await startService(context, once.counted, 'once');

    // The naive ways are slow enough to be measured on fewer.
    const names = (await clusterNames(database)).slice(0, context.size(500, 20));
    const sweep = await context.compare({
      title: 'follow mode, all clusters compared',
      unit: 'clusters',
      subject: runContender(following, clusters),
      baselines: [{ name: 'one SELECT per cluster', run: () => compareOneByOne(database, names, false) }],
    });
    const run = await context.compare({
      title: "one-shot run, a row 'same' for every cluster",
      unit: 'clusters',
      budgetMs: 12_000,
      subject: runContender(oneShot, clusters),
      baselines: [{ name: 'one SELECT and one INSERT per cluster', run: () => compareOneByOne(database, names, true) }],
    });
    const more = context.size(moreClusters, 20);
    await addRecentReports(database, more, report);
    const all = clusters + more;
    const largeSweep = await context.compare({
      title: 'follow mode, all of many clusters compared',
      unit: 'clusters',
      subject: runContender(following, all),
      baselines: [{ name: 'the newest report of each, by one SELECT', run: () => selectNewest(database) }],
    });
    const large = await context.compare({
      title: "one-shot run over many, a row 'same' for every cluster",
      unit: 'clusters',
      rounds: 5,
      budgetMs: 20_000,
      subject: runContender(oneShot, all),
      baselines: [{ name: 'one INSERT … SELECT of the same rows', run: () => insertSame(database) }],
    });
    follow.take();
    once.take();
    await following.runOnce();
    await oneShot.runOnce();
    return {
      comparisons: [sweep, run, largeSweep, large],
      figures: [
        { name: 'clusters', value: clusters, unit: 'clusters' },
        { name: 'statements of a run in follow mode', value: follow.take(), unit: 'statements' },
        { name: 'statements of a one-shot run', value: once.take(), unit: 'statements' },
        {
          name: 'the first run: decided, delivered to a target that takes all',
          value: (delivered * 1000) / firstMs,
          unit: 'clusters/s',
        },
        {
          name: 'a run over new reports with the issues of those before',
          value: (clusters * 1000) / againMs,
          unit: 'clusters/s',
        },
      ],
    };
  },
};

/** Reports of different clusters, as the writer stores them. */
async function storeReports(database: Database, clusters: number, report: string): Promise<void> {
  await database.query(
    `INSERT INTO ${TABLE_NEW_REPORTS} (org_id, account_number, cluster, report, updated_at, kafka_offset)
     SELECT 1, 0, gen_random_uuid()::text, $1, now() AT TIME ZONE 'UTC' - number * interval '1 millisecond', number
       FROM generate_series(1, $2::int) AS number`,
    [report, clusters],
  );
  await database.query(`ANALYZE ${TABLE_NEW_REPORTS}`);
}

/** A newer report of every cluster, with the issues of its newest. */
async function repeatReports(database: Database): Promise<void> {
  await database.query(
    `INSERT INTO ${TABLE_NEW_REPORTS} (org_id, account_number, cluster, report, updated_at, kafka_offset)
     SELECT org_id, account_number, cluster, report, clock_timestamp() AT TIME ZONE 'UTC', kafka_offset FROM ${TABLE_NEW_REPORTS}`,
  );
  await database.query(`ANALYZE ${TABLE_NEW_REPORTS}`);
}

async function timed(clock: Clock, work: () => Promise<unknown>): Promise<number> {
  const startedMs = clock.monotonicMs();
  await work();
  return clock.monotonicMs() - startedMs;
}

async function startService(
  context: BenchContext,
  database: Database,
  mode: NotificationServiceSettings['mode'],
): Promise<NotificationService> {
  const { clock, lifecycle } = context;
  const { config } = loadConfig(notificationServiceRole.options, { env: {} });
  const settings = notificationServiceRole.settings(config, mode);
  const service = await startNotificationService(
    {
      ...settings,
      follow: { pollMs: neverMs, minGapMs: neverMs, fullSweepMs: neverMs },
      firstRun: { messagesMax: 0, everyMs: neverMs },
    },
    {
      ...{ database, clock },
      telemetry: createSilentTelemetry('notifier'),
      content: createFolderContent({ folder: CATALOG_CONTENT_ROOT, setting: 'none' }),
      targets: [createWillingTarget()],
    },
  );
  lifecycle.defer(`notification service, ${mode}`, () => service.stop());
  return service;
}

/** Takes everything at once, so that what is measured is the service. */
function createWillingTarget(): Target {
  return {
    name: 'notification-backend',
    eventTargetId: 1,
    hasRecipient: () => true,
    async compose({ cluster, issues }, { uuid }) {
      const keys = issues.map(({ type, component, errorKey }) => ({ type, component, errorKey }));
      const id = uuid();
      const body = JSON.stringify(issues.map(({ errorKey, details }) => ({ errorKey, details })));
      return [{ id, target: 'notification-backend', cluster, issues: keys, body, headers: {} }];
    },
    reissue() {
      throw new CcxError('nobody asks for this here', { code: 'BENCH', category: 'internal' });
    },
    deliver: async () => ({ kind: 'delivered', detail: 'taken' }),
    check: async () => undefined,
    isOver: async () => false,
    close: async () => undefined,
  };
}

function runContender(service: NotificationService, clusters: number): Contender {
  return {
    name: 'runOnce',
    async run() {
      const { enqueued, reports } = await service.runOnce();
      if (enqueued + reports > 0)
        throw new Error(`${reports} reports were read and ${enqueued} messages made of nothing new`);
      return clusters;
    },
  };
}

async function selectNewest(database: Database): Promise<number> {
  const { rows } = await database.query<{ clusters: number }>(
    `SELECT count(*)::int AS clusters FROM (SELECT cluster, max(updated_at) FROM ${TABLE_NEW_REPORTS} GROUP BY cluster) AS newest`,
  );
  return rows[0]!.clusters;
}

/** The least that can be done for the rows which a one-shot run leaves. */
async function insertSame(database: Database): Promise<number> {
  const { rowCount } = await database.query(
    `INSERT INTO ${TABLE_REPORTED}
            (org_id, account_number, cluster, notification_type, state, report, updated_at, notified_at, error_log, event_type_id)
     SELECT org_id, account_number, cluster, 1, 2, report, updated_at, statement_timestamp() AT TIME ZONE 'UTC', '', 1
       FROM (SELECT org_id, cluster, max(updated_at) AS updated_at FROM ${TABLE_NEW_REPORTS} GROUP BY org_id, cluster) AS newest
       JOIN ${TABLE_NEW_REPORTS} USING (org_id, cluster, updated_at)`,
  );
  return rowCount;
}

interface ClusterName {
  readonly org_id: number;
  readonly cluster: string;
}

async function clusterNames(database: Database): Promise<readonly ClusterName[]> {
  const { rows } = await database.query<ClusterName>(
    `SELECT DISTINCT org_id, rtrim(cluster) AS cluster FROM ${TABLE_NEW_REPORTS}`,
  );
  return rows;
}

/** The newest report beside what was last told about the cluster; both are parsed, because only then can they be compared. */
async function compareOneByOne(database: Database, names: readonly ClusterName[], write: boolean): Promise<number> {
  for (const { org_id: orgId, cluster } of names) {
    const { rows } = await database.query<{ report: string; told: string; updated_at: string }>(
      `SELECT n.report, r.report AS told, n.updated_at
         FROM ${TABLE_NEW_REPORTS} AS n
         JOIN LATERAL (SELECT report FROM ${TABLE_REPORTED}
                        WHERE org_id = n.org_id AND cluster = n.cluster AND event_type_id = 1 AND state = 1
                        ORDER BY notified_at DESC LIMIT 1) AS r ON true
        WHERE n.org_id = $1 AND n.cluster = $2 ORDER BY n.updated_at DESC LIMIT 1`,
      [orgId, cluster],
    );
    const [row] = rows;
    if (row === undefined || issuesOf(row.report) !== issuesOf(row.told)) throw new Error('something new was found');
    if (!write) continue;
    await database.query(
      `INSERT INTO ${TABLE_REPORTED} (org_id, account_number, cluster, notification_type, state, report, updated_at, notified_at,
                                      error_log, event_type_id)
       VALUES ($1, 0, $2, 1, 2, $3, $4, clock_timestamp() AT TIME ZONE 'UTC', '', 1)`,
      [orgId, cluster, row.report, row.updated_at],
    );
  }
  return names.length;
}

function issuesOf(report: string): string {
  const { reports } = JSON.parse(report) as { reports: readonly { component: string; key: string }[] };
  return reports.map(({ component, key }) => `${component}|${key}`).join();
}
