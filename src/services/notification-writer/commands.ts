/** `ccx writer`: runs the notification writer until a signal. */
import type { Command } from 'commander';
import { addTableOptions, loadCommandConfig } from '../../platform/config/command-flags.ts';
import type { LoadedConfig } from '../../platform/config/load-config.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import type { OpenRole } from '../../platform/lifecycle/open-role.ts';
import { storageDatabase } from '../../platform/reference/broker-settings.ts';
import { referenceLogLevel } from '../../platform/reference/reference-log.ts';
import {
  noneAsEmpty,
  notificationWriterOptions,
  notificationWriterSettings,
  writerBusSettings,
  writerExitCode,
} from './config.ts';

export function register(program: Command, input: ProcessInput): void {
  const command = program.command('writer').description('role: stores reports in the notification database');
  addTableOptions(command, notificationWriterOptions).action(async () => {
    const loaded = loadCommandConfig(command, notificationWriterOptions, input);
    const { config } = loaded;
    const { openRole, openRoleBase } = await import('../../platform/lifecycle/open-role.ts');
    const options = {
      name: 'writer',
      level: referenceLogLevel(config['logging.log_level']),
      loaded,
      exitCodeOf: writerExitCode,
      logsToStandardError: config['logging.use_stderr'],
    };
    if (config['broker.enabled']) await openRole(options, (role) => startWriterRole(loaded, role));
    else openRoleBase(options).telemetry.log.info('broker.enabled is false, nothing to do');
  });
}

async function startWriterRole(loaded: LoadedConfig<typeof notificationWriterOptions>, role: OpenRole): Promise<void> {
  const { config } = loaded;
  const { telemetry, clock, lifecycle } = role;
  const settings = notificationWriterSettings(config);
  const database = role.database({ ...storageDatabase(loaded), applicationName: 'ccx-writer' });
  const busSettings = writerBusSettings(config);
  // An embedded bus is in the same database: what is wrong is the database then, and the exit code says so.
  if (busSettings.kind === 'postgres') await database.check();
  // The dead-letter topic is not among them: the service makes it where it may.
  const topics = [
    { name: settings.topic, setting: 'broker.topic' },
    { name: settings.statusesTopic, setting: 'tracker.topic', optional: true },
  ];
  const bus = await role.bus(busSettings, { database, topics });
  const { startNotificationWriter } = await import('./service.ts');
  const writer = await startNotificationWriter(settings, { bus, database, telemetry, clock });
  role.runs(writer, database);

  const address = noneAsEmpty(config['metrics.address']);
  if (address === '') return;
  const { publicReadiness } = await import('../../platform/lifecycle/health.ts');
  const { createMetricsServer } = await import('./metrics-server.ts');
  const { certificateEvents } = await import('../../platform/http/operations-server.ts');
  const readiness = publicReadiness({ readiness: () => writer.readiness(), log: telemetry.log, clock });
  const server = createMetricsServer({
    ...{ address, registry: telemetry.registry, readiness, clock },
    tls: { certFile: config['tls.cert_file'], keyFile: config['tls.key_file'] },
    certificate: certificateEvents(telemetry.log),
  });
  lifecycle.defer('metrics server', () => server.close());
  telemetry.log.info({ url: await server.listen() }, 'listening');
}
