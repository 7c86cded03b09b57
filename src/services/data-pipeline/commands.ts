/** `ccx data-pipeline`: runs the data pipeline until a signal. */
import type { Command } from 'commander';
import { errorFields } from '../../encoding/ccx-error.ts';
import { busSettings } from '../../platform/bus/bus-options.ts';
import { addTableOptions, loadCommandConfig } from '../../platform/config/command-flags.ts';
import type { LoadedConfig } from '../../platform/config/load-config.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { databaseOfUrl } from '../../platform/database/configured-database.ts';
import type { Database } from '../../platform/database/database.ts';
import type { OpenRole } from '../../platform/lifecycle/open-role.ts';
import type { LogLevel } from '../../platform/telemetry/log.ts';
import type { OwnBucket } from './bucket-archive-source.ts';
import {
  type DataPipelineSettings,
  dataPipelineOptions,
  dataPipelineSettings,
  pipelineS3SettingNames,
  pipelineS3Settings,
} from './config.ts';

export function register(program: Command, input: ProcessInput): void {
  const command = program
    .command('data-pipeline')
    .description('role: fetches announced archives, runs the rules, publishes reports');
  addTableOptions(command, dataPipelineOptions).action(async () => {
    const { loaded, bus } = await readConfiguration(command, input);
    const { config } = loaded;
    const settings = dataPipelineSettings(config);
    const { openRole } = await import('../../platform/lifecycle/open-role.ts');
    const { startDataPipeline } = await import('./service.ts');
    const level = config['logging.log_level'] as LogLevel;
    await openRole({ name: 'data-pipeline', level, loaded }, async (role) => {
      const database = openDatabase(loaded, role);
      const topics = [
        { name: settings.incoming.topic, setting: 'incoming.topic (CDP_INCOMING_TOPIC)' },
        { name: settings.resultsTopic, setting: 'results.topic' },
        { name: settings.deadLettersTopic, setting: 'dead_letters.topic (CDP_DEAD_LETTER_QUEUE_TOPIC)' },
        { name: settings.statusesTopic, setting: 'statuses.topic', optional: true },
      ];
      const opened = await role.bus(bus, { topics, database });
      const brokers = bus.kind === 'kafka' ? bus.brokers.join(',') : 'PostgreSQL';
      const { telemetry, clock } = role;
      const bucket = await openBucket(settings, role);
      const service = await startDataPipeline(settings, { bus: opened, telemetry, clock, brokers, bucket });
      role.runs(service, database);
      await role.serveOperations(config, service);
    });
  });
}

/** From a file of our own, or the hosted pipeline's YAML with Clowder's document above it. */
async function readConfiguration(command: Command, input: ProcessInput) {
  const { openHostedConfigs } = await import('./hosted-config/open-hosted-config.ts');
  const hosted = await openHostedConfigs(input.env);
  try {
    const read = loadCommandConfig(command, dataPipelineOptions, input, { read: hosted.read });
    const loaded = { ...read, warnings: [...read.warnings, ...hosted.warnings] };
    return { loaded, bus: busSettings(loaded.config, 'data-pipeline') };
  } finally {
    hosted.cleanUp();
  }
}

/** For the topics, where no brokers carry them, and for `ccx roles`. */
function openDatabase(loaded: LoadedConfig<typeof dataPipelineOptions>, role: OpenRole): Database | undefined {
  if (loaded.config['database.url'] === '') return undefined;
  const location = databaseOfUrl(loaded, 'database.url', 'database.url (CCX_DATABASE_URL)');
  return role.database({ ...location, applicationName: 'ccx data-pipeline' });
}

/** Read only; undefined where archives are fetched by their links only. */
async function openBucket(
  settings: DataPipelineSettings,
  { clock, telemetry, lifecycle }: OpenRole,
): Promise<OwnBucket | undefined> {
  const s3 = pipelineS3Settings(settings);
  if (s3 === undefined) return undefined;
  const { openS3Store } = await import('../../platform/objects/s3/s3-store.ts');
  const objects = await openS3Store({
    ...{ settings: s3, names: pipelineS3SettingNames, clock, writes: false },
    onAway: (error) => telemetry.log.warn({ ...errorFields(error), hint: error.hint }, 'waiting for the object store'),
  });
  lifecycle.defer('object store', () => objects.close());
  return { name: objects.bucket, objects };
}
