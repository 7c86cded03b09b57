/**
 * The secret source of one process: constants, files and Vault behind one interface. Called by the roles' `commands.ts`, which hand the
 * `Secret`s to their services.
 */
import { CcxError, configInvalid } from '../../encoding/ccx-error.ts';
import type { Clock } from '../clock/clock.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { createFileSecret } from './file-secret.ts';
import type { Secret, SecretRequest, SecretSource } from './secret-source.ts';
import { createVaultClient } from './vault/vault-client.ts';
import { createVaultSecrets, parseVaultReference } from './vault/vault-secrets.ts';
import { createVaultSession } from './vault/vault-session.ts';
import type { VaultSettings } from './vault/vault-settings.ts';

interface SecretSourceOptions {
  /** Absent: a setting of the form `vault:…` is an error. */
  readonly vault: VaultSettings | undefined;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/** Nothing is read before a secret is asked for its value. */
export function openSecretSource({ vault, clock, telemetry }: SecretSourceOptions): SecretSource {
  const store = vault === undefined ? undefined : openVault(vault, clock, telemetry);
  return {
    secret: (request) => openSecret(request, store),
    async close() {
      await store?.close();
    },
  };
}

type Vault = ReturnType<typeof openVault>;

function openSecret(request: SecretRequest, vault: Vault | undefined): Secret {
  if (request.file !== undefined) return createFileSecret(request.setting, request.file);
  const reference = parseVaultReference(request.configured, request.setting);
  if (reference === undefined) return createConstantSecret(request);
  if (vault !== undefined) return vault.secret(reference, request.setting);
  throw configInvalid(
    `${request.setting} is kept in Vault, but no Vault is configured`,
    'set vault.address (or VAULT_ADDR)',
  );
}

function openVault(settings: VaultSettings, clock: Clock, { log }: Telemetry) {
  const client = createVaultClient(settings, clock);
  const session = createVaultSession(client, settings.auth, clock, log);
  const secret = createVaultSecrets({ settings, client, session }, clock, log);
  return { secret, close: () => session.close() };
}

/** Code `SECRET_MISSING` when the value is empty. */
function createConstantSecret(request: SecretRequest): Secret {
  const value = async () => {
    if (request.configured !== '') return request.configured;
    throw new CcxError(`${request.setting} is not set`, {
      code: 'SECRET_MISSING',
      category: 'configuration',
      hint: `set ${request.setting}, or ${request.setting}_FILE to a file that holds it`,
    });
  };
  return { setting: request.setting, value, reload: value };
}
