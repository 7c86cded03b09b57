/**
 * The schema at version 8 as other programs know it, fact by fact from the live catalog of the reference (notification-writer.md 5.1, 7).
 * Written out here and not derived, because a changed name or type breaks a program that we do not see.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import {
  NOTIFICATION_TYPE_INSTANT,
  STATE_ERROR,
  STATE_LOWER,
  STATE_SAME,
  STATE_SENT,
  TARGET_NOTIFICATIONS_BACKEND,
  TARGET_SERVICE_LOG,
} from '../../contracts/tables.ts';

let context: TestDatabase;
before(async () => {
  context = await createTestDatabase({ migrated: true });
});
after(() => context.drop());

const query = async (text: string) => (await context.database.query(text)).rows;

test('tables, columns, types, nullability and defaults', async () => {
  const rows = await query(`
    SELECT c.relname || '.' || a.attname AS name,
           format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
             || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') AS type
      FROM pg_class c
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
     ORDER BY c.relname, a.attnum`);
  assert.deepEqual(
    rows.map(({ name, type }) => `${name}: ${type}`),
    [
      'event_targets.id: integer not null',
      'event_targets.name: character varying not null',
      'event_targets.metainfo: character varying not null',
      'migration_info.version: integer not null',
      'new_reports.org_id: integer not null',
      'new_reports.account_number: integer not null',
      'new_reports.cluster: character(36) not null',
      'new_reports.report: character varying not null',
      'new_reports.updated_at: timestamp without time zone not null',
      'new_reports.kafka_offset: bigint not null default 0',
      'notification_types.id: integer not null',
      'notification_types.value: character varying not null',
      'notification_types.frequency: character varying not null',
      'notification_types.comment: character varying',
      "read_errors.error_id: integer not null default nextval('read_errors_error_id_seq'::regclass)",
      'read_errors.org_id: integer not null',
      'read_errors.cluster: character(36) not null',
      'read_errors.updated_at: timestamp without time zone not null',
      'read_errors.error_text: character varying(1000) not null',
      'read_errors.created_at: timestamp without time zone not null',
      'reported.org_id: integer not null',
      'reported.account_number: integer not null',
      'reported.cluster: character(36) not null',
      'reported.notification_type: integer not null',
      'reported.state: integer not null',
      'reported.report: character varying not null',
      'reported.updated_at: timestamp without time zone not null',
      'reported.notified_at: timestamp without time zone not null',
      'reported.error_log: character varying',
      'reported.event_type_id: integer not null',
      'states.id: integer not null',
      'states.value: character varying not null',
      'states.comment: character varying',
    ],
  );
});

test('constraints by name, with their columns and foreign key actions', async () => {
  const rows = await query(`
    SELECT conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid) AS fact
      FROM pg_constraint
     WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f', 'c') ORDER BY 1`);
  assert.deepEqual(
    rows.map(({ fact }) => fact),
    [
      'event_targets event_targets_metainfo_key UNIQUE (metainfo)',
      'event_targets event_targets_name_key UNIQUE (name)',
      'event_targets event_targets_pkey PRIMARY KEY (id)',
      'new_reports new_reports_pkey PRIMARY KEY (org_id, cluster, updated_at)',
      'notification_types notification_types_pkey PRIMARY KEY (id)',
      'read_errors read_errors_error_id_org_id_cluster_updated_at_key UNIQUE (error_id, org_id, cluster, updated_at)',
      'read_errors read_errors_org_id_cluster_updated_at_fkey FOREIGN KEY (org_id, cluster, updated_at) REFERENCES new_reports(org_id, cluster, updated_at) ON DELETE CASCADE',
      'read_errors read_errors_pkey PRIMARY KEY (error_id)',
      'reported fk_notification_type FOREIGN KEY (notification_type) REFERENCES notification_types(id)',
      'reported fk_state FOREIGN KEY (state) REFERENCES states(id)',
      'reported reported_event_type_id_fkey FOREIGN KEY (event_type_id) REFERENCES event_targets(id)',
      'reported reported_pkey PRIMARY KEY (org_id, cluster, notified_at)',
      'states states_pkey PRIMARY KEY (id)',
    ],
  );
});

test('indexes beside the keys', async () => {
  const rows = await query(`
    SELECT i.indexdef AS fact FROM pg_indexes i
     WHERE i.schemaname = 'public' AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conname = i.indexname) ORDER BY i.indexname`);
  assert.deepEqual(
    rows.map(({ fact }) => fact),
    [
      'CREATE INDEX idx_reported_event_state_org_cluster ON public.reported USING btree (event_type_id, state, org_id, cluster)',
      'CREATE INDEX idx_reported_updated_at ON public.reported USING btree (updated_at)',
      'CREATE INDEX new_reports_cluster_idx ON public.new_reports USING btree (cluster)',
      'CREATE INDEX new_reports_org_id_idx ON public.new_reports USING btree (org_id)',
      'CREATE INDEX new_reports_updated_at_asc_idx ON public.new_reports USING btree (updated_at)',
      'CREATE INDEX new_reports_updated_at_desc_idx ON public.new_reports USING btree (updated_at DESC)',
      'CREATE INDEX notification_types_id_idx ON public.notification_types USING btree (id)',
      'CREATE INDEX notified_at_desc_idx ON public.reported USING btree (notified_at DESC)',
      'CREATE INDEX report_kafka_offset_btree_idx ON public.new_reports USING btree (kafka_offset)',
      'CREATE INDEX updated_at_desc_idx ON public.reported USING btree (updated_at)',
    ],
  );
});

test('comments of the tables', async () => {
  const rows = await query(`
    SELECT relname AS name, obj_description(oid) AS comment FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1`);
  assert.deepEqual(Object.fromEntries(rows.map(({ name, comment }) => [name, comment])), {
    event_targets: 'specification of all event targets currently supported',
    migration_info: 'information about the latest DB schema and migration status',
    new_reports: 'new reports consumed from Kafka topic and stored to database in shrunk format',
    notification_types: 'list of all notification types used by Notification service',
    read_errors: 'errors that are detected during new reports collection',
    reported: 'notifications reported to user or skipped due to some conditions',
    states: 'states for each row stored in reported table',
  });
});

test('seed rows, and the constants that stand for them', async () => {
  assert.deepEqual(await query('SELECT * FROM notification_types ORDER BY id'), [
    {
      id: NOTIFICATION_TYPE_INSTANT,
      value: 'instant',
      frequency: '* * * * * *',
      comment: 'instant notifications performed ASAP',
    },
    { id: 2, value: 'weekly', frequency: '@weekly', comment: 'weekly summary' },
  ]);
  assert.deepEqual(await query('SELECT * FROM states ORDER BY id'), [
    { id: STATE_SENT, value: 'sent', comment: 'notification has been sent to user' },
    { id: STATE_SAME, value: 'same', comment: 'skipped, report is the same as previous one' },
    { id: STATE_LOWER, value: 'lower', comment: 'skipped, all issues has low priority' },
    { id: STATE_ERROR, value: 'error', comment: 'notification delivery error' },
  ]);
  assert.deepEqual(await query('SELECT * FROM event_targets ORDER BY id'), [
    {
      id: TARGET_NOTIFICATIONS_BACKEND,
      name: 'notifications backend',
      metainfo: 'the target of the report is the ccx notification service back end',
    },
    { id: TARGET_SERVICE_LOG, name: 'service log', metainfo: 'the target of the report is the ServiceLog' },
  ]);
  assert.deepEqual(await query('SELECT * FROM migration_info'), [{ version: 8 }]);
});

test('the acceptance suites insert reports with an empty text', async () => {
  await query(`INSERT INTO new_reports VALUES (1, 1, '5d5892d4-1f74-4ccf-91af-548dfc9767aa', '', '1990-01-01')`);
  const [row] = await query('SELECT report, kafka_offset, updated_at FROM new_reports');
  assert.deepEqual(row, { report: '', kafka_offset: 0n, updated_at: '1990-01-01 00:00:00' });
});
