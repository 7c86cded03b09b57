/**
 * docs/database.md: both schemas as they are in the catalog of a migrated database, so that the page cannot differ from the migrations.
 * Called by scripts/generate-database-doc.ts and by the test that holds the page.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { migrateCcx } from '../../src/platform/database/ccx-migrations.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { migrationsPath } from '../../src/platform/database/sql-file.ts';
import { ensureNotificationSchema } from '../../src/platform/records/notification-schema.ts';
import { wrapProse } from './wrap-prose.ts';

interface Column {
  readonly table: string;
  readonly column: string;
  readonly type: string;
  readonly required: boolean;
  readonly default: string | null;
  readonly comment: string | null;
}

interface NamedFact {
  readonly table: string;
  readonly name: string;
  readonly definition: string;
}

interface Table {
  readonly schema: 'public' | 'ccx';
  readonly table: string;
  readonly comment: string | null;
}

/** `database` is an empty one; it is migrated to the newest version of everything. */
export async function renderDatabasePage(database: Database): Promise<string> {
  await ensureNotificationSchema(database);
  const sets = readdirSync(migrationsPath('ccx')).sort();
  // `ccx.migration` is made by whichever set comes first and belongs to none of them.
  const made = new Map([['migration', '']]);
  for (const set of sets) {
    await migrateCcx(database, set);
    for (const { table } of await readTables(database)) if (!made.has(table)) made.set(table, set);
  }
  const tables = await readTables(database);
  const facts = {
    columns: await readColumns(database),
    constraints: await readConstraints(database),
    indexes: await readIndexes(database),
  };
  const sections = (schema: Table['schema'], set?: string) =>
    tables
      .filter((table) => table.schema === schema && (set === undefined || made.get(table.table) === set))
      .flatMap((table) => renderTable(table, facts));
  return wrapProse(
    [
      '# Database',
      '',
      'Generated from the catalog of a migrated PostgreSQL by `npm run generate`; do not edit.',
      '',
      'Schema `public` is the notification database that this program shares with others: names, types and version numbers are theirs, and',
      'nothing is added to it. Schema `ccx` is ours alone.',
      '',
      '## Looking after it',
      '',
      'As the user who owns the tables, on `--database URL`, `CCX_DATABASE_URL` or the data folder of a running all-in-one installation.',
      '`--dry-run` says what would be done, `--json` says it to a program, `ccx db COMMAND --help` has examples.',
      '',
      '| command | what it does |',
      '|---|---|',
      '| `ccx db init` | makes all tables, the shared ones and our own; what is there stays and is brought up |',
      '| `ccx db status` | version present and version needed of `shared` and of each set of schema `ccx`, and the steps that are missing; ends with 2 if something must be done |',
      '| `ccx db migrate` | brings up what is there, step by step, and names a step that takes long every ten seconds; `--only shared,writer` leaves the others |',
      '| `ccx db migrate --to 7 --down` | the shared tables to another version, in one transaction. Downwards only with `--down`: what the steps that are taken back hold is lost, and it is in `ccx audit list`. Below 3 only without rows of Service Log in `reported`. Schema `ccx` has no way down |',
      '| `ccx db grants --role ccx` | prints what the user of the roles needs, SELECT, INSERT, UPDATE, DELETE and USAGE; `--apply` executes it as a user who may, all or nothing, and is in `ccx audit list`. Again after `migrate`, for new tables |',
      '| `ccx db grants --for results --role ccx_results` | the same for a user of its own for `ccx results`, which others call: SELECT, and INSERT and UPDATE of acknowledgements, their audit and its row in `ccx.roles` |',
      '| `ccx db cleanup --older-than 90d` | deletes old rows, table by table, and ends with a summary |',
      '',
      'Exit codes: 0 done, 1 failed (with a code in brackets and what to change), 2 something must be done, 130 interrupted.',
      'An `init` or `migrate` that is interrupted or killed is gone from the server a second later, also where it waited for a table,',
      'with the step under way (PostgreSQL 13 notices only when the wait is over).',
      '',
      '`ccx db cleanup` counts the old rows of each table and deletes them in slices of about 200 ms, beside running services and behind',
      'a pooler, with a line of progress every two seconds. Ctrl-C ends it behind the slice under way; the same command goes on from there.',
      'It needs the rights of the roles and no more, and is in `ccx audit list` with the rows that it found. An age has a unit that',
      'cannot be mistaken: `3m` may be months or minutes and is refused. What it takes for old:',
      '',
      '| `--table` | rows older than the age, by | what stays |',
      '|---|---|---|',
      '| `read_errors` | `updated_at`, of the report | |',
      '| `new_reports` | `updated_at`; with their facts and read errors | |',
      '| `stored_message` | `updated_at`: repeats of these messages are no longer recognised | |',
      '| `reported` | `updated_at` | `sent` rows inside the longest cooldown |',
      '| `trace` | `recorded_at` | |',
      '| `notification_outbox` | `finished_at` | what is not finished, or inside the longest cooldown |',
      '| `clusters` | `last_report_at`; with their issues | those that report, that have a report, or that became stale or retired later |',
      '| `issues` | `changed_at` | those that are open or gone |',
      '| `issue_events` | `at` | events of a month that has not ended before, where there is a partition for each |',
      '| `notification_ledger` | `last_seen_at` | what has an issue, waits, or is inside the longest cooldown |',
      '| `notification_considered` | `decided_at` | clusters that have a report |',
      '| `notification_sent_rows` | `notified_at` | those whose row is in `reported` |',
      '',
      'On PostgreSQL 13 a table without an index for its age (`read_errors`, `clusters`, `notification_ledger`, `_considered`, `_sent_rows`) is one slice.',
      'The space is used again once autovacuum has been there. Figures for ten million reports are in',
      '[bench/README.md](../bench/README.md#retention).',
      '',
      '## Schema public',
      '',
      'Version 8. `ccx-notification-writer --db-init-migration`, `--db-init` and `--migrate <number|latest>` bring it there, or take it back;',
      'all steps of one call are one transaction.',
      '',
      '```mermaid',
      'erDiagram',
      ...(await renderRelations(database)),
      '```',
      '',
      ...renderSteps(),
      ...sections('public'),
      ...(await renderSeedRows(database)),
      '## Schema ccx',
      '',
      'Each service brings up its own set at start: `migrations/ccx/<set>/NNNN-<name>.sql`, once each, under an advisory lock, recorded in',
      '`ccx.migration`. A user that may not do so gets the missing `GRANT` as the hint of error `DATABASE_PERMISSION`.',
      '',
      ...sections('ccx', ''),
      ...sets.flatMap((set) => [`### Set ${set}`, '', ...renderFiles(set), ...sections('ccx', set)]),
    ].join('\n'),
  );
}

async function readTables(database: Database): Promise<Table[]> {
  const { rows } = await database.query<Table>(`
    SELECT n.nspname AS schema, c.relname AS "table", obj_description(c.oid, 'pg_class') AS comment
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('public', 'ccx') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
     ORDER BY n.nspname, c.relname`);
  return rows;
}

async function readColumns(database: Database): Promise<Column[]> {
  const { rows } = await database.query<Column>(`
    SELECT c.relname AS "table", a.attname AS "column", format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required,
           CASE WHEN a.attidentity <> '' THEN 'identity' ELSE pg_get_expr(d.adbin, d.adrelid) END AS "default",
           col_description(c.oid, a.attnum) AS comment
      FROM pg_class c
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     WHERE c.relnamespace::regnamespace::text IN ('public', 'ccx') AND c.relkind IN ('r', 'p')
     ORDER BY c.relname, a.attnum`);
  return rows;
}

async function readConstraints(database: Database): Promise<NamedFact[]> {
  const { rows } = await database.query<NamedFact>(`
    SELECT c.relname AS "table", k.conname AS name, pg_get_constraintdef(k.oid) AS definition
      FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
     WHERE c.relnamespace::regnamespace::text IN ('public', 'ccx') AND k.contype IN ('p', 'u', 'f', 'c', 'x')
     ORDER BY c.relname, array_position(ARRAY['p', 'u', 'f', 'c', 'x'], k.contype::text), k.conname`);
  return rows;
}

/** Those that belong to no constraint. */
async function readIndexes(database: Database): Promise<NamedFact[]> {
  const { rows } = await database.query<NamedFact>(`
    SELECT c.relname AS "table", i.relname AS name, pg_get_indexdef(x.indexrelid) AS definition
      FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
     WHERE c.relnamespace::regnamespace::text IN ('public', 'ccx')
       AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x'))
     ORDER BY c.relname, i.relname`);
  return rows.map((row) => ({
    ...row,
    definition: row.definition.replace(/^CREATE (UNIQUE )?INDEX \S+ ON \S+ USING /, '$1'),
  }));
}

async function renderRelations(database: Database): Promise<string[]> {
  const { rows } = await database.query<{ parent: string; child: string; name: string }>(`
    SELECT confrelid::regclass::text AS parent, conrelid::regclass::text AS child, conname AS name
      FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY 1, 2, 3`);
  return rows.map(({ parent, child, name }) => `  ${parent} ||--o{ ${child} : "${name}"`);
}

interface Facts {
  readonly columns: readonly Column[];
  readonly constraints: readonly NamedFact[];
  readonly indexes: readonly NamedFact[];
}

function renderTable({ schema, table, comment }: Table, facts: Facts): string[] {
  const own = <T extends { readonly table: string }>(all: readonly T[]) => all.filter((fact) => fact.table === table);
  const listed = (title: string, all: readonly NamedFact[]) =>
    all.length === 0 ? [] : [title, '', ...all.map(({ name, definition }) => `* \`${name}\`: \`${definition}\``), ''];
  return [
    schema === 'ccx' ? `#### ccx.${table}` : `### ${table}`,
    '',
    ...(comment === null ? [] : [markdown(comment), '']),
    '| column | type | null | default | |',
    '|---|---|---|---|---|',
    ...own(facts.columns).map((column) =>
      `| ${[
        `\`${column.column}\``,
        column.type,
        column.required ? 'no' : 'yes',
        column.default === null ? '' : `\`${column.default}\``,
        markdown(column.comment ?? ''),
      ].join(' | ')} |`.replace(/ {2,}/g, ' '),
    ),
    '',
    ...listed('Constraints:', own(facts.constraints)),
    ...listed('Indexes:', own(facts.indexes)),
  ];
}

/** The steps with the first comment of their files. */
function renderSteps(): string[] {
  const files = readdirSync(migrationsPath('notification')).filter((name) => name.endsWith('.up.sql'));
  return [
    '| step | file | what it does |',
    '|---|---|---|',
    ...files.sort().map((name) => {
      const file = `migrations/notification/${name}`;
      return `| ${Number(name.slice(0, 4))} | [${name}](../${file}) | ${headComment(join(migrationsPath('notification'), name))} |`;
    }),
    '',
  ];
}

function renderFiles(set: string): string[] {
  const files = readdirSync(migrationsPath(`ccx/${set}`)).filter((name) => name.endsWith('.sql'));
  return [
    ...files
      .sort()
      .map(
        (name) =>
          `* [${name}](../migrations/ccx/${set}/${name}): ${headComment(join(migrationsPath(`ccx/${set}`), name))}`,
      ),
    '',
  ];
}

function headComment(path: string): string {
  const lines = readFileSync(path, 'utf8').split('\n');
  const end = lines.findIndex((line) => !line.startsWith('--'));
  const text = lines
    .slice(0, end)
    .map((line) => line.replace(/^--\s?/, ''))
    .join(' ')
    .trim();
  return markdown(text);
}

/** Text that is not markup. */
function markdown(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '\\<');
}

async function renderSeedRows(database: Database): Promise<string[]> {
  const sections: string[] = ['### Seed rows', ''];
  for (const table of ['states', 'notification_types', 'event_targets']) {
    const { rows } = await database.query<Record<string, unknown>>(`SELECT * FROM ${table} ORDER BY id`);
    const names = Object.keys(rows[0] ?? {});
    sections.push(`\`${table}\`:`, '', `| ${names.join(' | ')} |`, `|${'---|'.repeat(names.length)}`);
    sections.push(...rows.map((row) => `| ${names.map((name) => `\`${String(row[name])}\``).join(' | ')} |`), '');
  }
  return sections;
}
