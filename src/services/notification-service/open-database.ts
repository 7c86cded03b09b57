/**
 * The databases of the notification service, whose passwords and URLs may lie in Vault as well as in files, and are asked for again with each
 * new connection. Called by `commands.ts`, the drop-in program and `open-dependencies.ts`.
 */
import type { Clock } from '../../platform/clock/clock.ts';
import type { LoadedConfig } from '../../platform/config/load-config.ts';
import { environmentName } from '../../platform/config/options.ts';
import { type RotatedSecrets, rotatedFiles } from '../../platform/database/configured-database.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import type { Database, DatabaseLocation } from '../../platform/database/database.ts';
import { databaseOfParts, storageDatabase } from '../../platform/reference/broker-settings.ts';
import { type SecretSource, secretRequest } from '../../platform/secrets/secret-source.ts';
import { vaultSettings } from '../../platform/secrets/vault/vault-settings.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import { notificationServiceOptions } from './config.ts';

interface OpeningDatabase {
  readonly loaded: Pick<LoadedConfig<typeof notificationServiceOptions>, 'config' | 'secretFiles'>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly applicationName: string;
}

/** The notification database. Rejects where its URL lies in Vault and cannot be read; else nothing connects before the first statement. */
export async function openStorage(opening: OpeningDatabase & { readonly urlSetting?: string }): Promise<Database> {
  const { loaded, urlSetting } = opening;
  const secrets = openSecrets(opening);
  const named = urlSetting === undefined ? {} : { urlSetting };
  const location = storageDatabase(loaded, { ...named, rotated: secrets.rotated });
  try {
    const url = isInVault(location.url) ? await location.rotated!.value() : location.url;
    return connected(opening, { ...location, url }, secrets);
  } catch (error) {
    await secrets.close();
    throw error;
  }
}

/** The database of disabled rules. Throws `DATABASE_URL`. */
export function openAggregator(opening: OpeningDatabase): Database {
  const secrets = openSecrets(opening);
  return connected(opening, databaseOfParts(opening.loaded, 'aggregator_storage', secrets.rotated), secrets);
}

function connected(
  { applicationName, clock }: OpeningDatabase,
  location: DatabaseLocation,
  secrets: { close(): Promise<void> },
): Database {
  const database = connectDatabase({ ...location, applicationName, clock });
  return {
    ...database,
    async close() {
      await database.close();
      await secrets.close();
    },
  };
}

/** Vault is loaded only where a database asks for it. */
function openSecrets({ loaded, env, clock, telemetry }: OpeningDatabase) {
  const table = notificationServiceOptions;
  const inFiles = rotatedFiles(loaded);
  let source: Promise<SecretSource> | undefined;
  const open = async () => {
    const { openSecretSource } = await import('../../platform/secrets/open-secret-source.ts');
    const named = (key: string) => environmentName(table, key);
    const vault = vaultSettings({ config: loaded.config, env, environmentName: named });
    return openSecretSource({ vault, clock, telemetry });
  };
  const rotated: RotatedSecrets = (key) => {
    const own = key as 'storage.url' | 'storage.pg_password' | 'aggregator_storage.pg_password';
    if (!isInVault(loaded.config[own])) return inFiles(key);
    const secret = async () => {
      source ??= open();
      return (await source).secret(secretRequest({ table, key: own, loaded }));
    };
    return { value: async () => (await secret()).value(), reload: async () => (await secret()).reload() };
  };
  return {
    rotated,
    async close() {
      await (await source)?.close();
    },
  };
}

function isInVault(configured: string): boolean {
  return configured.startsWith('vault:');
}
