/**
 * The database that a role's configuration names, and what of it may change while the role runs: a secret that came from a file is read
 * again for each new connection. Used by the roles' `commands.ts`; the reference's way to name a database by parts is `broker-settings.ts`.
 */
import type { LoadedConfig } from '../config/load-config.ts';
import type { OptionTable } from '../config/options.ts';
import { createFileSecret } from '../secrets/file-secret.ts';
import type { DatabaseLocation } from './database.ts';
import type { RotatedUrl } from './rotated-login.ts';

/** What of a loaded configuration says where a database is. */
export interface LocatingConfig<Config> extends Pick<LoadedConfig<OptionTable>, 'secretFiles'> {
  readonly config: Config;
}

/** The secret behind a key, a whole URL or a password; undefined where it stays what it is. */
export type RotatedSecrets = (key: string) => RotatedUrl | undefined;

/** Those that came from files. */
export function rotatedFiles({ secretFiles }: Pick<LoadedConfig<OptionTable>, 'secretFiles'>): RotatedSecrets {
  return (key) => {
    const file = secretFiles[key];
    return file === undefined ? undefined : createFileSecret(file.setting, file.path);
  };
}

/** Of a key that holds the whole URL, which `setting` is to a person. */
export function databaseOfUrl<Key extends string>(
  loaded: LocatingConfig<{ readonly [Name in Key]: string }>,
  key: Key,
  setting: string,
  rotated: RotatedSecrets = rotatedFiles(loaded),
): DatabaseLocation {
  const secret = rotated(key);
  return { url: loaded.config[key], setting, ...(secret === undefined ? {} : { rotated: secret }) };
}
