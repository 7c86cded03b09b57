/**
 * The writer's SQL: reports into `new_reports`, and beside them the record of what was stored, the facts of each report and when its cluster
 * reported last, as one statement per batch. Called by the step `store-reports`; retrying is its business.
 *
 * What holds afterwards, also with several writers at once: a message that was stored makes no second row while the first is there; rows
 * of one cluster have strictly increasing microseconds, so that no two rows of the primary key meet and the newest row is the last one
 * stored.
 */
import {
  CHANNEL_REPORT_STORED,
  TABLE_CATALOGUES,
  TABLE_CLUSTERS,
  TABLE_REPORT_FACTS,
  TABLE_STORED_MESSAGE,
} from '../../contracts/tables.ts';
import {
  bigintArray,
  byteaArray,
  integerArray,
  textArray,
  timestampArray,
} from '../../platform/database/binary-arrays.ts';
import type { Connection } from '../../platform/database/database.ts';
import type { Catalogue, ReportRow } from './report.ts';

export type InsertedReport =
  /** `updatedAt` is the row's time as PostgreSQL writes it. */
  | { readonly kind: 'stored'; readonly updatedAt: string }
  /** By what it was recognised (its place on the bus, or its request, cluster and time), and the time of the row that is there. */
  | { readonly kind: 'repeated'; readonly by: 'position' | 'request'; readonly updatedAt: string };

/** A row of a batch with its number, which tells the rows apart in the answers. */
interface NumberedRow {
  readonly nr: number;
  readonly row: ReportRow;
}

/**
 * Stores a batch in the caller's transaction and answers for each row in the order given. Rejects with the database's error; then nothing
 * of the batch may be committed.
 */
export async function insertReportBatch(tx: Connection, rows: readonly ReportRow[]): Promise<InsertedReport[]> {
  const results: (InsertedReport | undefined)[] = new Array(rows.length).fill(undefined);
  let waiting: NumberedRow[] = rows.map((row, nr) => ({ nr, row }));
  let storedAny = false;
  while (waiting.length > 0) {
    for (const { nr, updated_at: updatedAt } of await insertReports(tx, withoutTwins(waiting))) {
      results[nr] = { kind: 'stored', updatedAt };
      storedAny = true;
    }
    waiting = waiting.filter(({ nr }) => results[nr] === undefined);
    if (waiting.length === 0) break;
    // Rare from here on: what was not taken is a repeat, unless the report it repeats is no longer there.
    const forgotten = await forgetRecordsWithoutReport(tx, waiting);
    for (const { nr, by, updated_at: updatedAt } of await findRepeats(tx, waiting)) {
      const known = results[nr];
      if (known?.kind !== 'repeated' || by === 'position') results[nr] = { kind: 'repeated', by, updatedAt };
    }
    const left = waiting.filter(({ nr }) => results[nr] === undefined);
    if (left.length === waiting.length && forgotten === 0) {
      throw new Error(`${left.length} reports were neither stored nor recognised as repeats`);
    }
    waiting = left;
  }
  if (storedAny) await tx.query('SELECT pg_notify($1, $2)', [CHANNEL_REPORT_STORED, '']);
  return results as InsertedReport[];
}

/** A record that was delivered twice within one batch is one record: the statement below joins by position. */
function withoutTwins(rows: readonly NumberedRow[]): NumberedRow[] {
  const byPosition = Map.groupBy(rows, ({ row: { record, sha256 } }) =>
    [record.topic, record.partition, record.offset, sha256.toString('latin1')].join('/'),
  );
  return [...byPosition.values()].map(([first]) => first!);
}

const newReportsColumns = 'org_id, account_number, cluster, report, updated_at, kafka_offset';
const recordColumns = 'topic, partition, "offset", sha256, request_id, org_id, cluster, last_checked, updated_at';
const position = 'topic, partition, "offset", sha256';
const factColumns = [
  'request_id',
  'last_checked',
  'gathered_at',
  'cluster_version',
  'catalogue_version',
  'catalogue_rules_sha256',
  'did_not_run',
  'skipped',
];

/**
 * placed: the time of each row is when it was processed, or just after the newest row of its cluster if that is not earlier (a clock that
 * was set back, another writer whose clock is ahead). claimed: the record decides who may store, because its unique keys hold between
 * transactions too. The report and its facts are inserted for claimed rows only; facts that are there already are of a report that somebody
 * deleted. A catalogue is known already in nearly every batch, so its rules are taken apart only where it is not.
 * seen: the rows of clusters come in order of the key, for two writers, and the notification service, to wait in one direction only; a
 * cluster that was stale or retired reports again.
 */
const insertText = `
  WITH incoming AS (
    SELECT * FROM unnest($1::int[], $2::text[], $3::int[], $4::bigint[], $5::bytea[], $6::text[], $7::int[], $8::int[], $9::text[], $10::text[], $11::timestamp[], $12::text[],
                         $13::timestamp[], $14::timestamp[], $15::text[], $16::text[], $17::bytea[], $18::text[], $19::text[])
      AS t (nr, topic, partition, "offset", sha256, request_id, org_id, account_number, cluster, last_checked, processed_at, report,
            last_checked_at, gathered_at, cluster_version, catalogue_version, catalogue_rules_sha256, did_not_run, skipped)
  ), placed AS MATERIALIZED (
    SELECT i.*, greatest(i.processed_at, newest.updated_at + i.place * interval '1 microsecond') AS updated_at
      FROM (SELECT *, row_number() OVER (PARTITION BY org_id, cluster ORDER BY nr) AS place FROM incoming) i
      LEFT JOIN LATERAL (
        SELECT max(n.updated_at) AS updated_at FROM new_reports n
         WHERE n.org_id = i.org_id AND n.cluster = i.cluster::bpchar AND n.updated_at < 'infinity'
      ) newest ON true
  ), claimed AS (
    INSERT INTO ${TABLE_STORED_MESSAGE} (${recordColumns})
    SELECT ${recordColumns} FROM placed ORDER BY nr
    ON CONFLICT DO NOTHING RETURNING ${position}
  ), stored AS (
    INSERT INTO new_reports (${newReportsColumns})
    SELECT org_id, account_number, cluster, report, updated_at, "offset" FROM placed JOIN claimed USING (${position})
  ), described AS (
    INSERT INTO ${TABLE_REPORT_FACTS} (org_id, cluster, updated_at, ${factColumns.join(', ')})
    SELECT org_id, cluster, updated_at, request_id, last_checked_at, gathered_at, cluster_version, catalogue_version,
           catalogue_rules_sha256, did_not_run::jsonb, skipped::jsonb
      FROM placed JOIN claimed USING (${position})
    ON CONFLICT (org_id, cluster, updated_at) DO UPDATE SET ${factColumns.map((column) => `${column} = excluded.${column}`).join(', ')}
  ), catalogued AS (
    INSERT INTO ${TABLE_CATALOGUES} (version, rules_sha256, rules)
    SELECT version, rules_sha256, ARRAY(SELECT jsonb_array_elements_text(rules::jsonb))
      FROM unnest($20::text[], $21::bytea[], $22::text[]) AS c (version, rules_sha256, rules)
     WHERE NOT EXISTS (SELECT FROM ${TABLE_CATALOGUES} k WHERE k.version = c.version AND k.rules_sha256 = c.rules_sha256)
    ON CONFLICT DO NOTHING
  ), seen AS (
    INSERT INTO ${TABLE_CLUSTERS} AS c (org_id, cluster, version, last_report_at, state_since)
    SELECT org_id, cluster::bpchar, (array_agg(cluster_version ORDER BY nr DESC) FILTER (WHERE cluster_version IS NOT NULL))[1],
           max(updated_at), max(updated_at)
      FROM placed JOIN claimed USING (${position}) GROUP BY org_id, cluster ORDER BY org_id, cluster::bpchar
    ON CONFLICT (org_id, cluster) DO UPDATE
       SET last_report_at = greatest(c.last_report_at, excluded.last_report_at), version = coalesce(excluded.version, c.version),
           state = 'reporting', state_since = CASE c.state WHEN 'reporting' THEN c.state_since ELSE excluded.state_since END
  )
  SELECT nr, updated_at::text AS updated_at FROM placed JOIN claimed USING (${position})`;

async function insertReports(tx: Connection, rows: readonly NumberedRow[]) {
  const answer = await tx.query<{ nr: number; updated_at: string }>(insertText, [
    ...keyArrays(rows),
    integerArray(rows.map(({ row }) => row.orgId)),
    integerArray(rows.map(({ row }) => row.accountNumber)),
    textArray(rows.map(({ row }) => row.cluster)),
    textArray(rows.map(({ row }) => row.lastChecked)),
    timestampArray(rows.map(({ row }) => row.processedAt)),
    textArray(rows.map(({ row }) => row.text)),
    ...factArrays(rows),
  ]);
  return answer.rows;
}

/** Parameters 1 to 6. */
function keyArrays(rows: readonly NumberedRow[]): Buffer[] {
  return [
    integerArray(rows.map(({ nr }) => nr)),
    textArray(rows.map(({ row }) => row.record.topic)),
    integerArray(rows.map(({ row }) => row.record.partition)),
    bigintArray(rows.map(({ row }) => row.record.offset)),
    byteaArray(rows.map(({ row }) => row.sha256)),
    textArray(rows.map(({ row }) => row.requestId)),
  ];
}

/** Parameters 13 to 22: the facts by row, then the catalogues that the rows name, each once and in one order for all writers. */
function factArrays(rows: readonly NumberedRow[]): Buffer[] {
  const facts = rows.map(({ row }) => row.facts);
  const catalogues = distinctCatalogues(facts.flatMap(({ catalogue }) => catalogue ?? []));
  return [
    timestampArray(rows.map(({ row }) => row.lastCheckedMicros)),
    timestampArray(facts.map(({ gatheredMicros }) => gatheredMicros)),
    textArray(facts.map(({ clusterVersion }) => clusterVersion)),
    textArray(facts.map(({ catalogue }) => catalogue?.version)),
    byteaArray(facts.map(({ catalogue }) => catalogue?.rulesSha256 ?? null)),
    textArray(facts.map(({ didNotRun }) => didNotRun)),
    textArray(facts.map(({ skipped }) => skipped)),
    textArray(catalogues.map(({ version }) => version)),
    byteaArray(catalogues.map(({ rulesSha256 }) => rulesSha256)),
    textArray(catalogues.map(({ rules }) => rules)),
  ];
}

function distinctCatalogues(catalogues: readonly Catalogue[]): readonly Catalogue[] {
  const byKey = new Map(catalogues.map((one) => [`${one.version}\0${one.rulesSha256.toString('hex')}`, one]));
  return [...byKey].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, one]) => one);
}

const incomingKeys = `
  WITH incoming AS (
    SELECT * FROM unnest($1::int[], $2::text[], $3::int[], $4::bigint[], $5::bytea[], $6::text[], $7::text[], $8::text[])
      AS t (nr, topic, partition, "offset", sha256, request_id, cluster, last_checked)
  )`;
const matchesPosition =
  's.topic = i.topic AND s.partition = i.partition AND s."offset" = i."offset" AND s.sha256 = i.sha256';
const matchesRequest = `i.request_id <> '' AND s.request_id <> '' AND s.request_id = i.request_id
  AND s.cluster = i.cluster::bpchar AND s.last_checked = i.last_checked`;
const hasNoReport = `NOT EXISTS (
  SELECT FROM new_reports n WHERE n.org_id = s.org_id AND n.cluster = s.cluster AND n.updated_at = s.updated_at)`;

/** `new_reports` is the truth: whoever empties it and sends the messages again gets the rows again. Answers how many records went. */
async function forgetRecordsWithoutReport(tx: Connection, rows: readonly NumberedRow[]): Promise<number> {
  const { rowCount } = await tx.query(
    `${incomingKeys}
     DELETE FROM ${TABLE_STORED_MESSAGE} s USING (
       SELECT s.ctid FROM ${TABLE_STORED_MESSAGE} s JOIN incoming i ON ${matchesPosition} WHERE ${hasNoReport}
       UNION
       SELECT s.ctid FROM ${TABLE_STORED_MESSAGE} s JOIN incoming i ON ${matchesRequest} WHERE ${hasNoReport}
     ) stale WHERE s.ctid = stale.ctid`,
    repeatParameters(rows),
  );
  return rowCount;
}

async function findRepeats(tx: Connection, rows: readonly NumberedRow[]) {
  const answer = await tx.query<{ nr: number; by: 'position' | 'request'; updated_at: string }>(
    `${incomingKeys}
     SELECT i.nr, 'position' AS by, s.updated_at::text AS updated_at FROM ${TABLE_STORED_MESSAGE} s JOIN incoming i ON ${matchesPosition}
     UNION ALL
     SELECT i.nr, 'request', s.updated_at::text FROM ${TABLE_STORED_MESSAGE} s JOIN incoming i ON ${matchesRequest}`,
    repeatParameters(rows),
  );
  return answer.rows;
}

function repeatParameters(rows: readonly NumberedRow[]): Buffer[] {
  return [
    ...keyArrays(rows),
    textArray(rows.map(({ row }) => row.cluster)),
    textArray(rows.map(({ row }) => row.lastChecked)),
  ];
}
