/** `ccx writer`: runs the notification writer until a signal. */
import type { Command } from 'commander';
import pino from 'pino';
import { openBus } from '../../platform/bus/open-bus.ts';
import { requireTopics } from '../../platform/bus/require-topics.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { addTableOptions, loadCommandConfig } from '../../platform/config/command-flags.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import { publicReadiness } from '../../platform/lifecycle/health.ts';
import type { Lifecycle } from '../../platform/lifecycle/lifecycle.ts';
import { runRole } from '../../platform/lifecycle/run-role.ts';
import { createTelemetry } from '../../platform/telemetry/telemetry.ts';
import {
  logLevel,
  type NotificationWriterConfig,
  noneAsEmpty,
  notificationWriterOptions,
  notificationWriterSettings,
  writerBusSettings,
  writerDatabaseSettings,
  writerExitCode,
} from './config.ts';
import { createMetricsServer } from './metrics-server.ts';
import { startNotificationWriter } from './service.ts';

export function registerNotificationWriterCommands(program: Command, input: ProcessInput): void {
  const command = program.command('writer').description('role: stores reports in the notification database');
  addTableOptions(command, notificationWriterOptions).action(async () => {
    const { config, warnings } = loadCommandConfig(command, notificationWriterOptions, input);
    const telemetry = createTelemetry({
      service: 'writer',
      level: logLevel(config['logging.log_level']),
      ...(config['logging.use_stderr'] ? { destination: pino.destination(2) } : {}),
    });
    for (const warning of warnings) telemetry.log.warn(warning);
    if (!config['broker.enabled']) {
      telemetry.log.info('broker.enabled is false, nothing to do');
      return;
    }
    const clock = createSystemClock();
    process.exitCode = await runRole({
      telemetry,
      clock,
      exitCodeOf: writerExitCode,
      start: (lifecycle) => startWriterRole({ config, telemetry, clock, lifecycle }),
    });
  });
}

interface WriterRole {
  readonly config: NotificationWriterConfig;
  readonly telemetry: ReturnType<typeof createTelemetry>;
  readonly clock: ReturnType<typeof createSystemClock>;
  readonly lifecycle: Lifecycle;
}

async function startWriterRole({ config, telemetry, clock, lifecycle }: WriterRole): Promise<void> {
  const settings = notificationWriterSettings(config);
  const database = connectDatabase({ ...writerDatabaseSettings(config), applicationName: 'ccx-writer', clock });
  lifecycle.defer('database', () => database.close());
  const busSettings = writerBusSettings(config);
  // An embedded bus is in the same database: what is wrong is the database then, and the exit code says so.
  if (busSettings.kind === 'postgres') await database.check();
  const bus = await openBus(busSettings, { clock, telemetry, database });
  lifecycle.defer('bus', () => bus.close());
  // The dead-letter topic is not among them: the service makes it where it may.
  const needed = [
    { name: settings.topic, setting: 'broker.topic' },
    { name: settings.statusesTopic, setting: 'tracker.topic', optional: true },
  ];
  await requireTopics(bus, needed, (error) =>
    telemetry.log.warn({ code: error.code, hint: error.hint }, error.message),
  );
  const writer = await startNotificationWriter(settings, { bus, database, telemetry, clock });
  lifecycle.defer(writer.name, () => writer.stop());

  const address = noneAsEmpty(config['metrics.address']);
  if (address === '') return;
  const readiness = publicReadiness({ readiness: () => writer.readiness(), log: telemetry.log, clock });
  const server = createMetricsServer({ address, registry: telemetry.registry, readiness });
  lifecycle.defer('metrics server', () => server.close());
  telemetry.log.info({ url: await server.listen() }, 'listening');
}

/** The drop-in program, loaded only where it runs. Resolves to the exit code. */
export async function runNotificationWriterProgram(input: ProcessInput): Promise<number> {
  const program = await import('./drop-in/program.ts');
  return await program.runNotificationWriterProgram(input);
}
