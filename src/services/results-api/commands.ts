/** `ccx results`: serves what was found until a signal. */
import type { Command } from 'commander';
import { configInvalid } from '../../encoding/ccx-error.ts';
import { addTableOptions, loadCommandConfig } from '../../platform/config/command-flags.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { readVersion } from '../../platform/config/version.ts';
import { databaseOfUrl } from '../../platform/database/configured-database.ts';
import type { LogLevel } from '../../platform/telemetry/log.ts';
import { resultsOptions, resultsSettings } from './config.ts';

const databaseSetting = 'database.url (--database, CCX_DATABASE_URL)';

export function register(program: Command, input: ProcessInput): void {
  const command = program.command('results').description('role: what clusters, hubs and people read of what was found');
  addTableOptions(command, resultsOptions).action(async () => {
    const loaded = loadCommandConfig(command, resultsOptions, input);
    const { config } = loaded;
    if (config['database.url'] === '') {
      throw configInvalid('the results API needs the notification database', `set ${databaseSetting}`);
    }
    const settings = resultsSettings(config);
    const { openRole } = await import('../../platform/lifecycle/open-role.ts');
    const { startResultsApi } = await import('./service.ts');
    await openRole({ name: 'results', level: config['logging.level'] as LogLevel, loaded }, async (role) => {
      const { telemetry, clock } = role;
      const database = role.database({
        ...databaseOfUrl(loaded, 'database.url', databaseSetting),
        applicationName: 'ccx results',
        connectionsMax: settings.reads.connections,
      });
      const service = await startResultsApi(settings, { database, telemetry, clock, version: readVersion() });
      role.runs(service, database);
      await role.serveOperations(config, service);
    });
  });
}
