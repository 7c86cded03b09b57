/**
 * What every `ccx <role>` process opens, in one order and shape: its log and metrics, its database, its bus with the topics that it needs,
 * its service, its operations server. Whatever is opened is closed by the role's lifecycle, the last first. Loaded by the roles'
 * `commands.ts` only where a role starts.
 */
import { errorFields } from '../../encoding/ccx-error.ts';
import type { Bus } from '../bus/bus.ts';
import type { BusSettings } from '../bus/bus-options.ts';
import { openBus } from '../bus/open-bus.ts';
import { type NeededTopic, requireTopics } from '../bus/require-topics.ts';
import { createSystemClock } from '../clock/clock.ts';
import { readVersion } from '../config/version.ts';
import { connectDatabase } from '../database/connect-database.ts';
import type { Database, DatabaseOptions } from '../database/database.ts';
import { createOperationsServer } from '../http/operations-server.ts';
import { keepRoleRecord } from '../records/role-record.ts';
import type { LogLevel } from '../telemetry/log.ts';
import { openLogOutput } from '../telemetry/log-output.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';
import type { Lifecycle, RunningService } from './lifecycle.ts';
import { runRole } from './run-role.ts';

interface RoleBaseOptions {
  /** Field `service` of every log line, and what `ccx roles` calls it. */
  readonly name: string;
  readonly level: LogLevel;
  /** Its configuration, of which this says what to warn of. */
  readonly loaded: { readonly warnings: readonly string[] };
  /** Log lines go there instead of to standard output. */
  readonly logsToStandardError?: boolean;
}

interface RoleOptions extends RoleBaseOptions {
  /** With the settings in force, secrets masked. */
  readonly loaded: RoleBaseOptions['loaded'] & { readonly lines: Parameters<typeof keepRoleRecord>[0]['settings'] };
  /** Exit code of a start that failed; default 1. */
  readonly exitCodeOf?: (error: unknown) => number;
}

export type OpenRole = ReturnType<typeof roleOn>;

/** Log, metrics and clock of a role; the warnings of its configuration are logged. */
export function openRoleBase({ name, level, loaded, logsToStandardError }: RoleBaseOptions) {
  const destination = logsToStandardError === true ? { destination: openLogOutput(process.stderr) } : {};
  const telemetry = createTelemetry({ service: name, level, ...destination });
  for (const warning of loaded.warnings) telemetry.log.warn(warning);
  const onTickFailed = (error: unknown) =>
    telemetry.log.error(errorFields(error), 'a task that is done again and again failed; it is tried again');
  return { telemetry, clock: createSystemClock(undefined, onTickFailed) };
}

/** Runs a role until a signal, and sets the exit code of the process. */
export async function openRole(options: RoleOptions, start: (role: OpenRole) => Promise<void>): Promise<void> {
  const base = openRoleBase(options);
  process.exitCode = await runRole({
    ...base,
    exitCodeOf: options.exitCodeOf,
    start: (lifecycle) => start(roleOn(options, base, lifecycle)),
  });
}

function roleOn(options: RoleOptions, base: ReturnType<typeof openRoleBase>, lifecycle: Lifecycle) {
  const { telemetry, clock } = base;
  return {
    ...base,
    lifecycle,
    database(options: Omit<DatabaseOptions, 'clock'>): Database {
      const database = connectDatabase({ ...options, clock });
      lifecycle.defer('database', () => database.close());
      return database;
    },
    /** Rejects where a topic that is not optional is missing; of the others a warning is logged. */
    async bus(
      settings: BusSettings,
      { database, topics }: { readonly database?: Database; readonly topics: NeededTopic[] },
    ): Promise<Bus> {
      const bus = await openBus(settings, { clock, telemetry, database });
      lifecycle.defer('bus', () => bus.close());
      await requireTopics(bus, topics, (error) =>
        telemetry.log.warn({ code: error.code, hint: error.hint }, error.message),
      );
      return bus;
    },
    /** Stopped before what was opened until now. Where there is a database, `ccx roles` shows it from now on. */
    runs(service: RunningService, database: Database | undefined): void {
      if (database !== undefined) {
        const { name: role, loaded } = options;
        const { warnings, lines: settings } = loaded;
        const what = { role, version: readVersion(), settings, warnings, service };
        lifecycle.defer('row in ccx.roles', keepRoleRecord({ ...what, database, clock, log: telemetry.log }));
      }
      lifecycle.defer(service.name, () => service.stop());
    },
    /** `GET /health`, `/ready` and `/metrics`. */
    async serveOperations(
      config: {
        readonly 'operations.host': string;
        readonly 'operations.port': number;
        readonly 'tls.cert_file': string;
        readonly 'tls.key_file': string;
      },
      service: RunningService,
    ): Promise<void> {
      const server = createOperationsServer({
        host: config['operations.host'],
        port: config['operations.port'],
        portSetting: 'operations.port',
        tls: { certFile: config['tls.cert_file'], keyFile: config['tls.key_file'] },
        registry: telemetry.registry,
        readiness: () => service.readiness(),
        ...{ log: telemetry.log, clock },
      });
      lifecycle.defer('operations server', () => server.close());
      telemetry.log.info({ url: await server.listen() }, 'listening');
    },
  };
}
