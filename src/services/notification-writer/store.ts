/**
 * The writer's SQL: reports into `new_reports`, and beside them the position up to which their messages are stored, the facts of each report
 * and when its cluster reported last, as one statement per batch, which is its own transaction. Called by the step `store-reports`; retrying
 * is its business.
 *
 * What holds afterwards, also with several writers at once: a message that was stored makes no second row while the first is there; rows
 * of one cluster have strictly increasing microseconds, so that no two rows of the primary key meet and the newest row is the last one
 * stored.
 *
 * Whose position is ahead of all that was stored of its partition is new; the position is only a hint, because one that moved says nothing of
 * messages that were refused, or of reports that somebody deleted. So what lies before it, and what has a request that is known, is decided
 * by a second transaction, which looks it up among the reports. Both hold the row of the position, so that of two writers of one partition
 * the later one sees what the earlier one stored, even if that one was killed and its statement went on.
 */
import { hash } from 'node:crypto';
import {
  CHANNEL_REPORT_STORED,
  TABLE_CATALOGUES,
  TABLE_CLUSTERS,
  TABLE_REPORT_FACTS,
  TABLE_SKIPPED_RULES,
  TABLE_STORED_MESSAGE,
  TABLE_STORED_POSITIONS,
} from '../../contracts/tables.ts';
import { formatRfc3339 } from '../../encoding/rfc3339.ts';
import {
  bigintArray,
  byteaArray,
  integerArray,
  textArray,
  timestampArray,
  uuidArray,
} from '../../platform/database/binary-arrays.ts';
import type { Connection, Database, Queryable } from '../../platform/database/database.ts';
import type { Catalogue, ReportRow, SkippedRules } from './report.ts';

export type InsertedReport =
  /** `updatedAt` is the row's time as PostgreSQL writes it. */
  | { readonly kind: 'stored'; readonly updatedAt: string }
  /** By what it was recognised (its place on the bus, or its request, cluster and time), and the time of the row that is there. */
  | { readonly kind: 'repeated'; readonly by: 'position' | 'request'; readonly updatedAt: string };

interface InsertOptions {
  /** Microseconds; kept as the time of hop 8 where `traced`. */
  readonly nowMicros: bigint;
  readonly traced: boolean;
  /** Whether texts are compressed by lz4, where the server can (`hasLz4`). */
  readonly lz4: boolean;
  /** Called in the transaction that found the repeats among the rows, with all answers. */
  readonly onRepeats?: (tx: Connection, results: readonly InsertedReport[]) => Promise<void>;
}

/** A row of a batch with its number, which tells the rows apart in the answers, and that of its partition. */
interface NumberedRow {
  readonly nr: number;
  readonly head: number;
  readonly row: ReportRow;
}

/** What a batch has of one partition. */
interface Head {
  readonly nr: number;
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly first: bigint;
  /** Behind the last one. */
  readonly next: bigint;
}

/**
 * Stores a batch and answers for each row in the order given. Rejects with the database's error; part of the batch may be stored then, and
 * is recognised when the batch comes again.
 */
export async function insertReportBatch(
  database: Database,
  rows: readonly ReportRow[],
  options: InsertOptions,
): Promise<InsertedReport[]> {
  const results: (InsertedReport | undefined)[] = new Array(rows.length).fill(undefined);
  const { numbered, heads, twins } = numberRows(rows);
  const moved = await insertReports(database, numbered, { ...options, heads, ahead: true, results });
  const waiting = numbered.filter(({ nr }) => results[nr] === undefined);
  // A record that was delivered twice within one batch is one record.
  const answerTwins = () => {
    for (const [nr, first] of twins) {
      results[nr] = { kind: 'repeated', by: 'position', updatedAt: results[first]!.updatedAt };
    }
  };
  if (waiting.length === 0) {
    answerTwins();
    return results as InsertedReport[];
  }
  await database.transaction(async (tx) => {
    const behind = new Set(heads.filter(({ nr }) => !moved.has(nr)).map(({ nr }) => nr));
    await decideOneByOne(tx, waiting, { ...options, heads, behind, results });
    answerTwins();
    await options.onRepeats?.(tx, results as InsertedReport[]);
  });
  return results as InsertedReport[];
}

/** Whether the server was built with lz4, which costs a fifth of its own compression. */
export async function hasLz4(queryable: Queryable): Promise<boolean> {
  const { rows } = await queryable.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals)) AS found`,
  );
  return rows[0]!.found;
}

function numberRows(rows: readonly ReportRow[]) {
  const heads = new Map<string, { -readonly [Member in keyof Head]: Head[Member] }>();
  const numbered: NumberedRow[] = [];
  const byPlace = new Map<string, number>();
  /** By the number of the second one that of the first. */
  const twins = new Map<number, number>();
  rows.forEach((row, nr) => {
    const { topic, topicId = '', partition, offset } = row.record;
    const key = `${topicId}/${partition}/${topic}`;
    let head = heads.get(key);
    if (head === undefined) {
      head = { nr: heads.size, topic, topicId, partition, first: offset, next: offset + 1n };
      heads.set(key, head);
    } else if (offset < head.first) head.first = offset;
    else if (offset >= head.next) head.next = offset + 1n;
    const place = `${head.nr}/${offset}`;
    const first = byPlace.get(place);
    if (first !== undefined) {
      twins.set(nr, first);
      return;
    }
    byPlace.set(place, nr);
    numbered.push({ nr, head: head.nr, row });
  });
  return { numbered, heads: [...heads.values()], twins };
}

interface Deciding extends InsertOptions {
  readonly heads: readonly Head[];
  /** By number, those that were not ahead of what is stored. */
  readonly behind: ReadonlySet<number>;
  readonly results: (InsertedReport | undefined)[];
}

/** Rare: what was not taken is a repeat, unless the report that it repeats is no longer there, or it only lies before the position. */
async function decideOneByOne(tx: Connection, rows: readonly NumberedRow[], deciding: Deciding): Promise<void> {
  const { results, heads } = deciding;
  await lockPositions(tx, heads);
  let waiting = rows;
  while (waiting.length > 0) {
    const forgotten = await forgetRecordsWithoutReport(tx, waiting);
    for (const { nr, by, updated_at: updatedAt } of await findRepeats(tx, waiting, deciding.behind)) {
      const known = results[nr];
      if (known?.kind !== 'repeated' || by === 'position') results[nr] = { kind: 'repeated', by, updatedAt };
    }
    const left = waiting.filter(({ nr }) => results[nr] === undefined);
    if (left.length > 0) await insertReports(tx, left, { ...deciding, ahead: false });
    const open = left.filter(({ nr }) => results[nr] === undefined);
    if (open.length === waiting.length && forgotten === 0) {
      throw new Error(`${open.length} reports were neither stored nor recognised as repeats`);
    }
    waiting = open;
  }
}

const positionKey = 'topic, topic_id, partition';

async function lockPositions(tx: Connection, heads: readonly Head[]): Promise<void> {
  await tx.query(
    `SELECT FROM ${TABLE_STORED_POSITIONS} AS p JOIN unnest($1::text[], $2::text[], $3::int[]) AS h (${positionKey}) USING (${positionKey})
      ORDER BY ${positionKey} FOR UPDATE OF p`,
    [
      textArray(heads.map(({ topic }) => topic)),
      textArray(heads.map(({ topicId }) => topicId)),
      integerArray(heads.map(({ partition }) => partition)),
    ],
  );
}

interface Inserting extends InsertOptions {
  readonly heads: readonly Head[];
  /** Only rows of partitions whose position moves with them, and of whose request nothing is known. */
  readonly ahead: boolean;
  readonly results: (InsertedReport | undefined)[];
}

/** Fills in the answers of rows that were stored; answers with the numbers of the heads that moved. */
async function insertReports(
  queryable: Queryable,
  rows: readonly NumberedRow[],
  { heads, ahead, results, ...options }: Inserting,
): Promise<ReadonlySet<number>> {
  const answer = await queryable.query<{
    stored: number;
    numbers: readonly number[] | null;
    moved: readonly number[];
    placed: readonly number[] | null;
    times: readonly string[] | null;
  }>(insertText({ ahead, lz4: options.lz4 }), insertParameters(rows, heads, options));
  const { stored, numbers, moved, placed, times } = answer.rows[0]!;
  for (const place of stored === rows.length ? rows.keys() : (numbers ?? [])) {
    const { nr, row } = rows[place]!;
    results[nr] = { kind: 'stored', updatedAt: postgresText(row.processedAt) };
  }
  for (const [at, place] of (placed ?? []).entries()) {
    results[rows[place]!.nr] = { kind: 'stored', updatedAt: times![at]! };
  }
  return new Set(moved);
}

/** As PostgreSQL writes it. */
function postgresText(micros: bigint): string {
  return formatRfc3339(micros).replace('T', ' ').slice(0, -1);
}

const factColumns = [
  'request_id',
  'request_key',
  'last_checked',
  'gathered_at',
  'cluster_version',
  'catalogue_version',
  'catalogue_rules_sha256',
  'did_not_run',
  'skipped_sha256',
  'stored_at',
];

/** How long a list of skipped rules that no report names any more is kept at least: twice as long as it takes to be said to be in use. */
const skippedRulesRenewed = '30 minutes';

/**
 * moved: the position of each partition, if the batch lies behind it; whoever comes second waits here. placed: the time of each row is when
 * it was processed, or just after the newest row of its cluster if that is not earlier (a clock that was set back, another writer whose
 * clock is ahead). described: the facts decide who may store, because their unique keys hold between transactions too; in order of the
 * request's key, for two writers to wait in one direction only. The text comes last and apart: nothing else has to carry it along.
 * catalogued, listed: both are known already in nearly every batch, so they are taken apart only where they are not.
 * seen: the rows of clusters come in order of the key, for two writers, and the notification service, to wait in one direction only; a
 * cluster that was stale or retired reports again.
 */
function insertText({ ahead, lz4 }: { readonly ahead: boolean; readonly lz4: boolean }): string {
  const moves = ahead
    ? 'next_offset = excluded.next_offset, batch_offset = excluded.batch_offset, moved_at = excluded.moved_at WHERE p.next_offset <= excluded.batch_offset'
    : 'next_offset = greatest(p.next_offset, excluded.next_offset), moved_at = excluded.moved_at';
  // What earlier releases stored: empty some time after the update.
  const unknown = `
      WHERE NOT EXISTS (SELECT FROM ${TABLE_STORED_MESSAGE} s
                         WHERE s.topic = h.topic AND s.partition = h.partition AND s."offset" = i."offset")
        AND NOT EXISTS (SELECT FROM ${TABLE_STORED_MESSAGE} s
                         WHERE s.request_id = i.request_id AND s.request_id <> '' AND s.cluster = i.cluster::bpchar AND s.last_checked = i.last_checked)`;
  // Of this statement only, so that it is the same behind a pooler.
  const compression = lz4 ? `set_config('default_toast_compression', 'lz4', true)` : `''`;
  return `
  WITH heads AS (
    SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::bigint[]) AS h (head, ${positionKey}, batch_offset, next_offset)
  ), moved AS (
    INSERT INTO ${TABLE_STORED_POSITIONS} AS p (${positionKey}, batch_offset, next_offset, moved_at)
    SELECT ${positionKey}, batch_offset, next_offset, $7::timestamp FROM heads ORDER BY ${positionKey}
    ON CONFLICT (${positionKey}) DO UPDATE SET ${moves} RETURNING ${positionKey}
  ), ahead AS MATERIALIZED (
    SELECT head, topic, partition FROM heads JOIN moved USING (${positionKey})
  ), compression AS MATERIALIZED (
    SELECT ${compression} AS method
  ), incoming AS (
    SELECT * FROM unnest($9::int[], $10::int[], $11::bigint[], $12::text[], $13::uuid[], $14::int[], $15::int[], $16::text[], $17::text[], $18::timestamp[],
                         $19::timestamp[], $20::timestamp[], $21::text[], $22::text[], $23::bytea[], $24::text[], $25::bytea[])
      AS t (nr, head, "offset", request_id, request_key, org_id, account_number, cluster, last_checked, processed_at,
            last_checked_at, gathered_at, cluster_version, catalogue_version, catalogue_rules_sha256, did_not_run, skipped_sha256)
  ), placed AS MATERIALIZED (
    SELECT i.*, greatest(i.processed_at, newest.updated_at + i.place * interval '1 microsecond') AS updated_at
      FROM (SELECT i.*, row_number() OVER (PARTITION BY i.org_id, i.cluster ORDER BY i.nr) AS place
              FROM incoming i JOIN ahead h USING (head) ${ahead ? unknown : ''}) i
      LEFT JOIN LATERAL (
        SELECT max(n.updated_at) AS updated_at FROM new_reports n
         WHERE n.org_id = i.org_id AND n.cluster = i.cluster::bpchar AND n.updated_at < 'infinity'
      ) newest ON true
     WHERE (SELECT method IS NOT NULL FROM compression)
  ), described AS (
    INSERT INTO ${TABLE_REPORT_FACTS} (org_id, cluster, updated_at, ${factColumns.join(', ')})
    SELECT org_id, cluster, updated_at, request_id, request_key, last_checked_at, gathered_at, cluster_version, catalogue_version,
           catalogue_rules_sha256, did_not_run::jsonb, skipped_sha256, CASE WHEN $8::timestamp IS NOT NULL THEN greatest($8, updated_at) END
      FROM placed ORDER BY request_key, nr
    ON CONFLICT DO NOTHING RETURNING org_id, cluster::text AS cluster, updated_at
  ), taken AS MATERIALIZED (
    SELECT placed.* FROM placed JOIN described USING (org_id, cluster, updated_at)
  ), stored AS (
    INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at, kafka_offset)
    SELECT org_id, account_number, cluster, report, updated_at, "offset"
      FROM taken JOIN unnest($26::text[]) WITH ORDINALITY AS texts (report, text_nr) ON text_nr = nr + 1
  ), catalogued AS (
    INSERT INTO ${TABLE_CATALOGUES} (version, rules_sha256, rules)
    SELECT version, rules_sha256, ARRAY(SELECT jsonb_array_elements_text(rules::jsonb))
      FROM unnest($27::text[], $28::bytea[], $29::text[]) AS c (version, rules_sha256, rules)
     WHERE NOT EXISTS (SELECT FROM ${TABLE_CATALOGUES} k WHERE k.version = c.version AND k.rules_sha256 = c.rules_sha256)
    ON CONFLICT DO NOTHING
  ), listed AS (
    INSERT INTO ${TABLE_SKIPPED_RULES} AS k (sha256, rules, stored_at)
    SELECT sha256, rules::jsonb, now() AT TIME ZONE 'UTC' FROM unnest($30::bytea[], $31::text[]) AS l (sha256, rules)
     WHERE NOT EXISTS (SELECT FROM ${TABLE_SKIPPED_RULES} k
                        WHERE k.sha256 = l.sha256 AND k.stored_at > (now() AT TIME ZONE 'UTC') - interval '${skippedRulesRenewed}')
    ON CONFLICT (sha256) DO UPDATE SET stored_at = greatest(k.stored_at, excluded.stored_at)
  ), seen AS (
    INSERT INTO ${TABLE_CLUSTERS} AS c (org_id, cluster, version, last_report_at, state_since)
    SELECT org_id, cluster::bpchar, (array_agg(cluster_version ORDER BY nr DESC) FILTER (WHERE cluster_version IS NOT NULL))[1],
           max(updated_at), max(updated_at)
      FROM taken GROUP BY org_id, cluster ORDER BY org_id, cluster::bpchar
    ON CONFLICT (org_id, cluster) DO UPDATE
       SET last_report_at = greatest(c.last_report_at, excluded.last_report_at), version = coalesce(excluded.version, c.version),
           state = 'reporting', state_since = CASE c.state WHEN 'reporting' THEN c.state_since ELSE excluded.state_since END
  )
  SELECT count(*)::int AS stored, CASE WHEN count(*) < cardinality($9::int[]) THEN array_agg(nr) END AS numbers,
         ARRAY(SELECT head FROM ahead) AS moved,
         array_agg(nr) FILTER (WHERE updated_at <> processed_at) AS placed,
         array_agg(updated_at::text) FILTER (WHERE updated_at <> processed_at) AS times,
         CASE WHEN count(*) > 0 THEN pg_notify('${CHANNEL_REPORT_STORED}', '')::text END AS told
    FROM taken`;
}

/** `nr` in the statement is the place in the list that is sent. */
function insertParameters(
  rows: readonly NumberedRow[],
  heads: readonly Head[],
  { nowMicros, traced }: InsertOptions,
): unknown[] {
  const facts = rows.map(({ row }) => row.facts);
  const catalogues = distinct(
    facts.map(({ catalogue }) => catalogue),
    ({ version, rulesSha256 }) => `${version}\0${rulesSha256.toString('hex')}`,
  );
  const lists = distinct(
    facts.map(({ skipped }) => skipped),
    ({ sha256 }) => sha256.toString('hex'),
  );
  return [
    integerArray(heads.map(({ nr }) => nr)),
    textArray(heads.map(({ topic }) => topic)),
    textArray(heads.map(({ topicId }) => topicId)),
    integerArray(heads.map(({ partition }) => partition)),
    bigintArray(heads.map(({ first }) => first)),
    bigintArray(heads.map(({ next }) => next)),
    postgresText(nowMicros),
    traced ? postgresText(nowMicros) : null,
    integerArray([...rows.keys()]),
    integerArray(rows.map(({ head }) => head)),
    bigintArray(rows.map(({ row }) => row.record.offset)),
    textArray(rows.map(({ row }) => row.requestId)),
    uuidArray(rows.map(({ row }) => row.requestKey)),
    integerArray(rows.map(({ row }) => row.orgId)),
    integerArray(rows.map(({ row }) => row.accountNumber)),
    textArray(rows.map(({ row }) => row.cluster)),
    textArray(rows.map(({ row }) => row.lastChecked)),
    timestampArray(rows.map(({ row }) => row.processedAt)),
    timestampArray(rows.map(({ row }) => row.lastCheckedMicros)),
    timestampArray(facts.map(({ gatheredMicros }) => gatheredMicros)),
    textArray(facts.map(({ clusterVersion }) => clusterVersion)),
    textArray(facts.map(({ catalogue }) => catalogue?.version)),
    byteaArray(facts.map(({ catalogue }) => catalogue?.rulesSha256 ?? null)),
    textArray(facts.map(({ didNotRun }) => didNotRun)),
    byteaArray(facts.map(({ skipped }) => skipped?.sha256 ?? null)),
    textArray(rows.map(({ row }) => row.text)),
    textArray(catalogues.map(({ version }) => version)),
    byteaArray(catalogues.map(({ rulesSha256 }) => rulesSha256)),
    textArray(catalogues.map(({ rules }) => rules)),
    byteaArray(lists.map(({ sha256 }) => sha256)),
    textArray(lists.map(({ rules }) => rules)),
  ];
}

/** Each once, in one order for all writers. */
function distinct<Item extends Catalogue | SkippedRules>(
  items: readonly (Item | undefined)[],
  keyOf: (item: Item) => string,
): readonly Item[] {
  const byKey = new Map(
    [...new Set(items)].flatMap((item) => (item === undefined ? [] : [[keyOf(item), item] as const])),
  );
  return [...byKey].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, item]) => item);
}

const incomingKeys = `
  WITH incoming AS (
    SELECT * FROM unnest($1::int[], $2::text[], $3::int[], $4::bigint[], $5::bytea[], $6::text[], $7::uuid[], $8::int[], $9::int[], $10::text[],
                         $11::text[], $12::timestamp[], $13::timestamp[], $14::text[])
      AS t (nr, topic, partition, "offset", sha256, request_id, request_key, org_id, account_number, cluster,
            last_checked, last_checked_at, processed_at, report)
  )`;
const matchesPosition =
  's.topic = i.topic AND s.partition = i.partition AND s."offset" = i."offset" AND s.sha256 = i.sha256';
const matchesRequest = `i.request_id <> '' AND s.request_id <> '' AND s.request_id = i.request_id
  AND s.cluster = i.cluster::bpchar AND s.last_checked = i.last_checked`;
const hasNoReport = `NOT EXISTS (
  SELECT FROM new_reports n WHERE n.org_id = s.org_id AND n.cluster = s.cluster AND n.updated_at = s.updated_at)`;

/**
 * `new_reports` is the truth: whoever empties it and sends the messages again gets the rows again. So do facts that are left of a report
 * and have the time that a row of these may get. Answers how many records went.
 */
async function forgetRecordsWithoutReport(tx: Connection, rows: readonly NumberedRow[]): Promise<number> {
  const { rows: answer } = await tx.query<{ forgotten: number }>(
    `${incomingKeys}, messages AS (
       DELETE FROM ${TABLE_STORED_MESSAGE} s USING (
         SELECT s.ctid FROM ${TABLE_STORED_MESSAGE} s JOIN incoming i ON ${matchesPosition} WHERE ${hasNoReport}
         UNION
         SELECT s.ctid FROM ${TABLE_STORED_MESSAGE} s JOIN incoming i ON ${matchesRequest} WHERE ${hasNoReport}
       ) stale WHERE s.ctid = stale.ctid RETURNING 1
     ), facts AS (
       DELETE FROM ${TABLE_REPORT_FACTS} s USING (
         SELECT s.ctid FROM ${TABLE_REPORT_FACTS} s JOIN incoming i ON s.request_key = i.request_key WHERE ${hasNoReport}
         UNION
         SELECT s.ctid FROM ${TABLE_REPORT_FACTS} s JOIN incoming i
             ON s.org_id = i.org_id AND s.cluster = i.cluster::bpchar AND s.updated_at >= i.processed_at WHERE ${hasNoReport}
       ) stale WHERE s.ctid = stale.ctid RETURNING 1
     )
     SELECT ((SELECT count(*) FROM messages) + (SELECT count(*) FROM facts))::int AS forgotten`,
    repeatParameters(rows),
  );
  return answer[0]!.forgotten;
}

/**
 * By position: a report of that cluster with that offset and that text, and what else is kept of the message, whose position lies before what
 * is stored; or what an earlier release stored of that place and those bytes.
 */
async function findRepeats(tx: Connection, rows: readonly NumberedRow[], behind: ReadonlySet<number>) {
  const answer = await tx.query<{ nr: number; by: 'position' | 'request'; updated_at: string }>(
    `${incomingKeys}
     SELECT i.nr, 'position' AS by, n.updated_at::text AS updated_at
       FROM incoming i
       JOIN new_reports n ON n.org_id = i.org_id AND n.cluster = i.cluster::bpchar AND n.kafka_offset = i."offset"
                         AND n.account_number = i.account_number AND n.report = i.report
       JOIN ${TABLE_REPORT_FACTS} f ON f.org_id = n.org_id AND f.cluster = n.cluster AND f.updated_at = n.updated_at
      WHERE i.nr = ANY($15::int[]) AND f.request_id = i.request_id AND f.last_checked = i.last_checked_at
     UNION ALL
     SELECT i.nr, 'request', f.updated_at::text FROM incoming i JOIN ${TABLE_REPORT_FACTS} f ON f.request_key = i.request_key
     UNION ALL
     SELECT i.nr, 'position', s.updated_at::text FROM ${TABLE_STORED_MESSAGE} s JOIN incoming i ON ${matchesPosition}
     UNION ALL
     SELECT i.nr, 'request', s.updated_at::text FROM ${TABLE_STORED_MESSAGE} s JOIN incoming i ON ${matchesRequest}`,
    [...repeatParameters(rows), integerArray(rows.filter(({ head }) => behind.has(head)).map(({ nr }) => nr))],
  );
  return answer.rows;
}

function repeatParameters(rows: readonly NumberedRow[]): Buffer[] {
  return [
    integerArray(rows.map(({ nr }) => nr)),
    textArray(rows.map(({ row }) => row.record.topic)),
    integerArray(rows.map(({ row }) => row.record.partition)),
    bigintArray(rows.map(({ row }) => row.record.offset)),
    byteaArray(rows.map(({ row }) => hash('sha256', row.record.value ?? Buffer.alloc(0), 'buffer'))),
    textArray(rows.map(({ row }) => row.requestId)),
    uuidArray(rows.map(({ row }) => row.requestKey)),
    integerArray(rows.map(({ row }) => row.orgId)),
    integerArray(rows.map(({ row }) => row.accountNumber)),
    textArray(rows.map(({ row }) => row.cluster)),
    textArray(rows.map(({ row }) => row.lastChecked)),
    timestampArray(rows.map(({ row }) => row.lastCheckedMicros)),
    timestampArray(rows.map(({ row }) => row.processedAt)),
    textArray(rows.map(({ row }) => row.text)),
  ];
}
