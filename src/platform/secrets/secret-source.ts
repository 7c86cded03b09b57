/**
 * Secrets as our services use them: a value that can be asked for again, because secrets are rotated while a service runs. Services
 * hold a `Secret`, never its text. What the environment, a file or the configuration says is read in `open-secret-source.ts`,
 * which also decides by a setting's value whether it is kept in Vault or OpenBao (`vault/`).
 *
 * What both promise: no value is ever part of an error, a log line or an object that is logged; errors name the setting to change.
 */
import type { LoadedConfig } from '../config/load-config.ts';
import { environmentName, type OptionTable } from '../config/options.ts';

/** A secret is a password or a token; a larger file or field is the wrong one. */
export const secretBytesMax = 64 * 1024;
/** How long a value read from Vault is used before it is read again, unless it is refused earlier. */
export const vaultRefreshMs = 300_000;

export interface Secret {
  /** The setting that it fills; safe to show. */
  readonly setting: string;
  /** The value, read when it is first asked for and again when it may have changed. The last good one while the source is away. */
  value(): Promise<string>;
  /** Reads from the source now, after the value was refused by whoever it was shown to. The last good one while the source is away. */
  reload(): Promise<string>;
}

export interface SecretRequest {
  /** How a person names the setting, for error texts: its environment name. */
  readonly setting: string;
  /** The setting's value: the secret itself, or `vault:<path>#<field>`. */
  readonly configured: string;
  /** The file that the value came from; read again each time. */
  readonly file?: string;
}

export interface SecretSource {
  secret(request: SecretRequest): Secret;
  close(): Promise<void>;
}

/** The request for a secret option of a loaded configuration, with the file behind `<ENV>_FILE` if that is where it came from. */
export function secretRequest<Table extends OptionTable>(options: {
  readonly table: Table;
  readonly key: keyof Table['options'] & string;
  readonly loaded: Pick<LoadedConfig<Table>, 'config' | 'secretFiles'>;
}): SecretRequest {
  const { table, key, loaded } = options;
  const file = loaded.secretFiles[key]?.path;
  return {
    setting: environmentName(table, key),
    configured: String(loaded.config[key]),
    ...(file === undefined ? {} : { file }),
  };
}
