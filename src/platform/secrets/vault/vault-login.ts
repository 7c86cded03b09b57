/**
 * Getting a Vault token: the one that is given, or by AppRole or Kubernetes login. Files are read at each login, because tokens of
 * service accounts and agents rotate. Source: consumers.md 3.
 */
import { z } from 'zod';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { readSecretFile } from '../configured-secret.ts';
import type { VaultClient } from './vault-client.ts';
import type { VaultAuth, VaultCredential } from './vault-settings.ts';

export interface VaultLease {
  readonly token: string;
  /** How long the token lives from now on; 0 is for ever. */
  readonly lifeMs: number;
  readonly renewable: boolean;
}

const seconds = z.number().nonnegative();
const authAnswer = z.object({
  auth: z.object({ client_token: z.string().min(1), lease_duration: seconds, renewable: z.boolean() }),
});
const lookupAnswer = z.object({ data: z.object({ ttl: seconds, renewable: z.boolean().default(false) }) });

export async function logIn(client: VaultClient, auth: VaultAuth, signal: AbortSignal): Promise<VaultLease> {
  switch (auth.kind) {
    case 'token':
      return lookUp(client, await credentialText(auth.token, 'vault.token'), signal);
    case 'approle': {
      const body = { role_id: auth.roleId, secret_id: await credentialText(auth.secretId, 'vault.secret_id') };
      return leaseOf(await client.call({ method: 'POST', path: `auth/${auth.mount}/login`, body, signal }));
    }
    case 'kubernetes': {
      const body = { role: auth.role, jwt: await credentialText({ text: '', file: auth.jwtFile }, 'vault.jwt_file') };
      return leaseOf(await client.call({ method: 'POST', path: `auth/${auth.mount}/login`, body, signal }));
    }
  }
}

/** Renews at the server; the answer's life may be clipped by the token's maximum. */
export async function renew(client: VaultClient, token: string, signal: AbortSignal): Promise<VaultLease> {
  return leaseOf(await client.call({ method: 'POST', path: 'auth/token/renew-self', token, body: {}, signal }));
}

async function lookUp(client: VaultClient, token: string, signal: AbortSignal): Promise<VaultLease> {
  const { document } = await client.call({ method: 'GET', path: 'auth/token/lookup-self', token, signal });
  const parsed = lookupAnswer.safeParse(document);
  if (!parsed.success) throw unexpected('auth/token/lookup-self');
  return { token, lifeMs: parsed.data.data.ttl * 1000, renewable: parsed.data.data.renewable };
}

function leaseOf(answer: { readonly status: number; readonly document: unknown }): VaultLease {
  const parsed = authAnswer.safeParse(answer.document);
  if (answer.status !== 200 || !parsed.success) throw unexpected('the login');
  const { client_token: token, lease_duration: life, renewable } = parsed.data.auth;
  return { token, lifeMs: life * 1000, renewable };
}

async function credentialText(credential: VaultCredential, setting: string): Promise<string> {
  if (credential.file === undefined) return credential.text;
  try {
    return await readSecretFile(credential.file);
  } catch (cause) {
    throw new CcxError(`the file of ${setting} holds nothing to log in to Vault with: ${credential.file}`, {
      code: 'SECRET_FILE',
      category: 'configuration',
      cause,
      hint: `check the file that ${setting} names`,
    });
  }
}

/** Without the parser's text, which could quote the answer. */
function unexpected(what: string): CcxError {
  return new CcxError(`Vault's answer to ${what} has not the expected form`, {
    code: 'VAULT_ANSWER',
    category: 'configuration',
    hint: 'check vault.address and vault.auth_mount',
  });
}
