/** `ccx tracker`: runs the payload tracker until a signal. `ccx trace <request-id>`: one request's way through the hops. */
import type { Command } from 'commander';
import { storedRequestId } from '../../contracts/identifiers.ts';
import { TABLE_REPORT_FACTS, TABLE_STORED_MESSAGE } from '../../contracts/tables.ts';
import { configInvalid } from '../../encoding/ccx-error.ts';
import { busSettings } from '../../platform/bus/bus-options.ts';
import { addTableOptions, loadCommandConfig } from '../../platform/config/command-flags.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { databaseOfUrl } from '../../platform/database/configured-database.ts';
import type { Database } from '../../platform/database/database.ts';
import { sqlState } from '../../platform/database/database-error.ts';
import { addDatabaseLocation, locateDatabase } from '../../platform/database/database-location.ts';
import { type RecordedTraceEvent, readTrace } from '../../platform/records/trace-log.ts';
import type { LogLevel } from '../../platform/telemetry/log.ts';
import { payloadTrackerOptions } from './config.ts';
import { describeTrace, type NewerReport } from './decide/describe-trace.ts';
import { formatTrace } from './format-trace.ts';

export function register(program: Command, input: ProcessInput): void {
  registerTracker(program, input);
  registerTrace(program, input);
}

function registerTracker(program: Command, input: ProcessInput): void {
  const command = program.command('tracker').description('role: keeps what the services did with each request');
  addTableOptions(command, payloadTrackerOptions).action(async () => {
    const loaded = loadCommandConfig(command, payloadTrackerOptions, input);
    const { config, settings } = loaded;
    if (config['database.url'] === '') {
      throw configInvalid('the payload tracker needs a database', 'set database.url (--database, CCX_DATABASE_URL)');
    }
    const { openRole } = await import('../../platform/lifecycle/open-role.ts');
    const { startPayloadTracker } = await import('./service.ts');
    const level = config['logging.level'] as LogLevel;
    await openRole({ name: 'tracker', level, loaded }, async (role) => {
      const database = role.database({
        ...databaseOfUrl(loaded, 'database.url', 'database.url (--database, CCX_DATABASE_URL)'),
        applicationName: 'ccx tracker',
      });
      // The dead-letter topic is not among them: the service makes it where it may.
      const topics = [{ name: settings.topic, setting: 'incoming.topic' }];
      const bus = await role.bus(busSettings(config, 'tracker'), { database, topics });
      const { telemetry, clock } = role;
      role.runs(await startPayloadTracker(settings, { bus, database, telemetry, clock }), database);
    });
  });
}

function registerTrace(program: Command, input: ProcessInput): void {
  const command = program
    .command('trace')
    .description("one archive's way through the hops, and where it stopped")
    .argument('<request-id>', 'the id that ingress answered the upload with, in any spelling')
    .option('--json', 'the same for programs');
  addDatabaseLocation(command).action(async (requestId: string, options: { readonly json?: boolean }) => {
    const { connectDatabase } = await import('../../platform/database/connect-database.ts');
    const database = connectDatabase({ url: await locateDatabase(command, input), applicationName: 'ccx trace' });
    try {
      const events = await readKnown(database, requestId);
      if (events.length === 0) {
        process.stderr.write(unknownText(requestId));
        process.exitCode = 1;
        return;
      }
      const story = describeTrace(events, await readNewerReport(database, events[0]!.requestId));
      process.stdout.write(`${options.json === true ? JSON.stringify(story, null, 2) : formatTrace(story)}\n`);
    } finally {
      await database.close();
    }
  });
}

/** A database in which nothing was ever traced has no table; that is as much as knowing nothing. */
async function readKnown(database: Database, requestId: string): Promise<readonly RecordedTraceEvent[]> {
  try {
    return await readTrace(database, requestId);
  } catch (error) {
    if (sqlState(error) === '42P01') return [];
    throw error;
  }
}

/** By the facts of stored reports, and by what earlier releases recorded of them; a database without these tells nothing. */
async function readNewerReport(database: Database, requestId: string): Promise<NewerReport | undefined> {
  const newer = (table: string) => `
    (SELECT newer.request_id AS "requestId", newer.updated_at
       FROM own JOIN ${table} AS newer ON newer.org_id = own.org_id AND newer.cluster = own.cluster AND newer.updated_at > own.updated_at
      ORDER BY newer.updated_at LIMIT 1)`;
  const own = (table: string) =>
    `SELECT org_id, cluster, updated_at FROM ${table} WHERE request_id = $1 AND request_id <> ''`;
  try {
    const { rows } = await database.query<NewerReport>(
      `WITH own AS (${own(TABLE_REPORT_FACTS)} UNION ${own(TABLE_STORED_MESSAGE)})
       SELECT "requestId", updated_at::text AS "storedAt"
         FROM (${newer(TABLE_REPORT_FACTS)} UNION ALL ${newer(TABLE_STORED_MESSAGE)}) AS newer
        ORDER BY updated_at LIMIT 1`,
      [storedRequestId(requestId)],
    );
    return rows[0];
  } catch (error) {
    if (sqlState(error) === '42P01' || sqlState(error) === '42501') return undefined;
    throw error;
  }
}

function unknownText(requestId: string): string {
  return [
    `nothing is known of request ${JSON.stringify(requestId)}`,
    '  It may be older than the retention of the trace, it may belong to another installation (--data DIR or --database URL),',
    '  or no service has told of it yet: the id is in the answer of the upload, as x-rh-insights-request-id and request_id.',
    '',
  ].join('\n');
}
