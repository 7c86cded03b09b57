/** `ccx data-pipeline`: runs the data pipeline until a signal. */
import type { Command } from 'commander';
import { type BusSettings, busSettings } from '../../platform/bus/bus-options.ts';
import { openBus } from '../../platform/bus/open-bus.ts';
import { type NeededTopic, requireTopics } from '../../platform/bus/require-topics.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { addTableOptions, loadCommandConfig } from '../../platform/config/command-flags.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import type { Database } from '../../platform/database/database.ts';
import { createOperationsServer } from '../../platform/http/operations-server.ts';
import type { Lifecycle } from '../../platform/lifecycle/lifecycle.ts';
import { runRole } from '../../platform/lifecycle/run-role.ts';
import { createTelemetry, type LogLevel } from '../../platform/telemetry/telemetry.ts';
import { type DataPipelineSettings, dataPipelineOptions, dataPipelineSettings } from './config.ts';
import { startDataPipeline } from './service.ts';

export function registerDataPipelineCommands(program: Command, input: ProcessInput): void {
  const command = program
    .command('data-pipeline')
    .description('role: fetches announced archives, runs the rules, publishes reports');
  addTableOptions(command, dataPipelineOptions).action(async () => {
    const { config, warnings } = loadCommandConfig(command, dataPipelineOptions, input);
    const settings = dataPipelineSettings(config);
    const bus = busSettings(config, 'data-pipeline');
    const clock = createSystemClock();
    const telemetry = createTelemetry({ service: 'data-pipeline', level: config['logging.log_level'] as LogLevel });
    for (const warning of warnings) telemetry.log.warn(warning);
    process.exitCode = await runRole({
      telemetry,
      clock,
      start: async (lifecycle) => {
        const database = openDatabase(bus, config['database.url'], lifecycle);
        const opened = await openBus(bus, { clock, telemetry, ...(database === undefined ? {} : { database }) });
        lifecycle.defer('bus', () => opened.close());
        await requireTopics(opened, neededTopics(settings), (error) =>
          telemetry.log.warn({ code: error.code, hint: error.hint }, error.message),
        );
        const brokers = bus.kind === 'kafka' ? bus.brokers.join(',') : 'PostgreSQL';
        const service = await startDataPipeline(settings, { bus: opened, telemetry, clock, brokers });
        lifecycle.defer(service.name, () => service.stop());
        const server = createOperationsServer({
          host: config['operations.host'],
          port: config['operations.port'],
          portSetting: 'operations.port',
          registry: telemetry.registry,
          readiness: () => service.readiness(),
          ...{ log: telemetry.log, clock },
        });
        lifecycle.defer('operations server', () => server.close());
        telemetry.log.info({ url: await server.listen() }, 'listening');
      },
    });
  });
}

function neededTopics({
  incoming,
  resultsTopic,
  deadLettersTopic,
  statusesTopic,
}: DataPipelineSettings): NeededTopic[] {
  return [
    { name: incoming.topic, setting: 'incoming.topic (CDP_INCOMING_TOPIC)' },
    { name: resultsTopic, setting: 'results.topic' },
    { name: deadLettersTopic, setting: 'dead_letters.topic (CDP_DEAD_LETTER_QUEUE_TOPIC)' },
    { name: statusesTopic, setting: 'statuses.topic', optional: true },
  ];
}

/** The topics' database; none is opened where brokers carry them. */
function openDatabase(bus: BusSettings, url: string, lifecycle: Lifecycle): Database | undefined {
  if (bus.kind !== 'postgres' || url === '') return undefined;
  const database = connectDatabase({
    url,
    applicationName: 'ccx data-pipeline',
    setting: 'database.url (CCX_DATABASE_URL)',
  });
  lifecycle.defer('database', () => database.close());
  return database;
}
