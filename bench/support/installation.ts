/**
 * Everything in one process, as `ccx all-in-one` runs it, with the stand-ins as receivers: for benchmarks of the whole flow. Its PostgreSQL
 * is the benchmarks' own, which has the settings of the embedded one.
 */
import { type AllInOneSettings, allInOneOptions, allInOneSettings } from '../../src/all-in-one/config.ts';
import { type AllInOne, startAllInOne } from '../../src/all-in-one/start-all-in-one.ts';
import type { Clock } from '../../src/platform/clock/clock.ts';
import { loadConfig } from '../../src/platform/config/load-config.ts';
import { readVersion } from '../../src/platform/config/version.ts';
import type { Lifecycle } from '../../src/platform/lifecycle/lifecycle.ts';

export interface InstallationOptions {
  readonly clock: Clock;
  readonly lifecycle: Lifecycle;
  readonly folder: string;
  readonly databaseUrl: string;
  /** Settings of the services by their environment names. */
  readonly env?: Readonly<Record<string, string>>;
}

export function startInstallation(options: InstallationOptions): Promise<AllInOne> {
  const { clock, lifecycle, env = {} } = options;
  return startAllInOne(installationSettings(options), {
    ...{ clock, lifecycle, env },
    log: process.stderr,
    progress: () => undefined,
    version: readVersion(),
  });
}

function installationSettings({ folder, databaseUrl }: InstallationOptions): AllInOneSettings {
  const { config } = loadConfig(allInOneOptions, { env: {} });
  return {
    ...allInOneSettings({ ...config, 'run.data': folder }),
    ...{ databaseUrl, port: 0, operationsPort: 0 },
    logLevel: 'error',
  };
}
