/**
 * How Vault or OpenBao is reached and logged in to, as options that a role takes into its own table and as the typed settings that
 * come out. The names that Vault's own tools use (`VAULT_ADDR`, `BAO_ADDR`, …) count where ours are not set.
 */
import { configInvalid } from '../../../encoding/ccx-error.ts';
import type { OptionSpec } from '../../config/options.ts';
import { type VaultTls, vaultTls, vaultTlsOptions } from './vault-tls.ts';

/** For a role's option table: `options: { ...vaultOptions, … }`. */
export const vaultOptions = {
  'vault.address': {
    type: 'string',
    default: '',
    description:
      'Address of Vault or OpenBao, for settings of the form vault:<path>#<field> (also VAULT_ADDR, BAO_ADDR)',
  },
  ...vaultTlsOptions,
  'vault.namespace': { type: 'string', default: '', description: 'Namespace (also VAULT_NAMESPACE, BAO_NAMESPACE)' },
  'vault.mount': { type: 'string', default: 'secret', description: 'Mount of the KV secrets engine' },
  'vault.kv_version': { type: 'integer', default: 2, min: 1, max: 2, description: 'Version of the KV secrets engine' },
  'vault.auth': {
    type: 'string',
    default: 'token',
    choices: ['token', 'approle', 'kubernetes'],
    description: 'How to log in',
  },
  'vault.auth_mount': {
    type: 'string',
    default: '',
    description: 'Mount of the login method; empty is its name, approle or kubernetes',
  },
  'vault.token': {
    type: 'string',
    default: '',
    secret: true,
    description: 'Token, for auth token (also VAULT_TOKEN, BAO_TOKEN)',
  },
  'vault.role_id': { type: 'string', default: '', description: 'Role id, for auth approle' },
  'vault.secret_id': { type: 'string', default: '', secret: true, description: 'Secret id, for auth approle' },
  'vault.role': { type: 'string', default: '', description: 'Role, for auth kubernetes' },
  'vault.jwt_file': {
    type: 'string',
    default: '/var/run/secrets/kubernetes.io/serviceaccount/token',
    description: "File with the pod's service account token, for auth kubernetes",
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;

/** A text and, where it is kept in a file that may be rotated, that file. */
export interface VaultCredential {
  readonly text: string;
  readonly file?: string;
}

export type VaultAuth =
  | { readonly kind: 'token'; readonly token: VaultCredential }
  | { readonly kind: 'approle'; readonly mount: string; readonly roleId: string; readonly secretId: VaultCredential }
  | { readonly kind: 'kubernetes'; readonly mount: string; readonly role: string; readonly jwtFile: string };

export interface VaultSettings {
  /** Without a trailing slash. */
  readonly address: string;
  readonly namespace: string;
  readonly mount: string;
  readonly kvVersion: 1 | 2;
  readonly auth: VaultAuth;
  /** Where it has an authority of its own, or asks for a certificate. */
  readonly tls?: VaultTls;
}

interface VaultSettingsInput {
  /** A loaded configuration whose table took in `vaultOptions`. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Environment name of an option of that table, for files and error texts. */
  readonly environmentName: (key: string) => string;
}

/** The settings, or undefined when no address is set anywhere. Throws `CONFIG_INVALID` when the login lacks something. */
export function vaultSettings(input: VaultSettingsInput): VaultSettings | undefined {
  const text = (key: keyof typeof vaultOptions) => String(input.config[key] ?? '');
  const address = text('vault.address') || firstOf(input.env, ['VAULT_ADDR', 'BAO_ADDR']);
  if (address === '') return undefined;
  if (!/^https?:\/\//.test(address)) {
    throw configInvalid(
      'vault.address must start with http:// or https://',
      `change ${input.environmentName('vault.address')}`,
    );
  }
  const tls = vaultTls({
    value: (key, names) => text(key) || firstOf(input.env, names),
    variable: (names) => firstOf(input.env, names),
    environmentName: input.environmentName,
  });
  const namespace = text('vault.namespace') || firstOf(input.env, ['VAULT_NAMESPACE', 'BAO_NAMESPACE']);
  return {
    address: address.replace(/\/+$/, ''),
    namespace,
    mount: text('vault.mount'),
    kvVersion: input.config['vault.kv_version'] === 1 ? 1 : 2,
    auth: authOf(input, text),
    ...(tls === undefined ? {} : { tls }),
  };
}

function authOf(input: VaultSettingsInput, text: (key: keyof typeof vaultOptions) => string): VaultAuth {
  const needed = (key: keyof typeof vaultOptions, value: string) => {
    if (value === '') throw configInvalid(`${key} is not set`, `change ${input.environmentName(key)}`);
    return value;
  };
  const mount = text('vault.auth_mount');
  switch (text('vault.auth')) {
    case 'approle': {
      const roleId = needed('vault.role_id', text('vault.role_id'));
      const secretId = needed('vault.secret_id', text('vault.secret_id'));
      return {
        kind: 'approle',
        mount: mount || 'approle',
        roleId,
        secretId: credential(input, 'vault.secret_id', secretId),
      };
    }
    case 'kubernetes': {
      const role = needed('vault.role', text('vault.role'));
      return { kind: 'kubernetes', mount: mount || 'kubernetes', role, jwtFile: text('vault.jwt_file') };
    }
    default: {
      const own = text('vault.token');
      const token = needed('vault.token', own || firstOf(input.env, ['VAULT_TOKEN', 'BAO_TOKEN']));
      return { kind: 'token', token: own === '' ? { text: token } : credential(input, 'vault.token', token) };
    }
  }
}

function credential(input: VaultSettingsInput, key: keyof typeof vaultOptions, text: string): VaultCredential {
  const name = input.environmentName(key);
  const file = (input.env[name] ?? '') === '' ? (input.env[`${name}_FILE`] ?? '') : '';
  return file === '' ? { text } : { text, file };
}

function firstOf(env: VaultSettingsInput['env'], names: readonly string[]): string {
  return names.map((name) => env[name] ?? '').find((value) => value !== '') ?? '';
}
