/**
 * A real OpenBao for `*.vault.test.ts`, with what such tests put into it. Where neither it nor pip is there the file is skipped and says
 * so; with CCX_REQUIRE_VAULT=1 that is a failure, so that a build cannot pass by leaving these tests out.
 */
import { after } from 'node:test';
import {
  missingForOpenBao,
  type OpenBao,
  type OpenBaoAnswer,
  type OpenBaoOptions,
  startOpenBao,
} from '../../scripts/engines/start-openbao.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { assertKindMay } from './test-kinds.ts';

const { env } = readProcessInput();
const missing = missingForOpenBao();

assertKindMay('use Vault');
if (missing.length > 0) {
  const reason = `no OpenBao can be started here: ${missing.join(' and ')} is missing`;
  if (env['CCX_REQUIRE_VAULT'] === '1') throw new Error(`${reason}, and CCX_REQUIRE_VAULT=1 wants it`);
  // Ends before the file's first test: there is nothing here that could be run.
  console.log(`skipped: ${reason}`);
  process.exit(0);
}

const started: OpenBao[] = [];
after(async () => {
  await Promise.all(started.map((bao) => bao.stop()));
});

/** Of this file; stopped after its last test. Without what `prepareOpenBao` makes. */
export async function startTestOpenBao(options: OpenBaoOptions = {}): Promise<OpenBao> {
  const bao = await startOpenBao(options);
  started.push(bao);
  return bao;
}

/** KV engines of both versions at `secret` and `old`, AppRole and Kubernetes login, and the policy `reader`, which reads both engines. */
export async function prepareOpenBao(bao: OpenBao): Promise<void> {
  await bao.call('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
  await bao.call('POST', 'sys/mounts/old', { type: 'kv', options: { version: '1' } });
  for (const method of ['approle', 'kubernetes']) await bao.call('POST', `sys/auth/${method}`, { type: method });
  await bao.call('POST', 'sys/policies/acl/reader', {
    policy: 'path "secret/data/*" { capabilities = ["read"] } path "old/*" { capabilities = ["read"] }',
  });
}

/** Writes a new version of a secret of the engine at `secret`. */
export async function putSecret(bao: OpenBao, path: string, fields: Readonly<Record<string, unknown>>): Promise<void> {
  await bao.call('POST', `secret/data/${path.split('/').map(encodeURIComponent).join('/')}`, { data: fields });
}

export interface TokenLife {
  readonly token_ttl?: string;
  readonly token_max_ttl?: string;
  readonly token_period?: string;
  readonly token_num_uses?: number;
}

/** A role of the AppRole login with the policy `reader`, and one secret id of it. */
export async function makeAppRole(bao: OpenBao, name: string, life: TokenLife = {}) {
  await bao.call('POST', `auth/approle/role/${name}`, { token_policies: ['reader'], ...life });
  const { data: role } = await bao.call('GET', `auth/approle/role/${name}/role-id`);
  return { roleId: String(role?.['role_id']), secretId: await makeSecretId(bao, name) };
}

export async function makeSecretId(bao: OpenBao, role: string): Promise<string> {
  const { data } = await bao.call('POST', `auth/approle/role/${role}/secret-id`, {});
  return String(data?.['secret_id']);
}

/** A token that is not from a login; with the policy `reader` and the default one. */
export async function makeToken(bao: OpenBao, options: object = {}): Promise<string> {
  return tokenOf(await bao.call('POST', 'auth/token/create', { policies: ['reader'], ...options }));
}

function tokenOf({ auth }: OpenBaoAnswer): string {
  if (auth === undefined) throw new Error('OpenBao gave no token');
  return auth.client_token;
}

/** Accessors of the tokens that live and come from a login with that role. */
export async function tokensOf(bao: OpenBao, role: string): Promise<readonly string[]> {
  const { data = {} } = await bao.call('GET', 'auth/token/accessors?list=true');
  const found: string[] = [];
  for (const accessor of (data['keys'] ?? []) as readonly string[]) {
    // It may have ended meanwhile.
    const looked = await bao.call('POST', 'auth/token/lookup-accessor', { accessor }).catch(() => undefined);
    const meta = looked?.data?.['meta'] as { readonly role_name?: string; readonly role?: string } | null | undefined;
    if (meta?.role_name === role || meta?.role === role) found.push(accessor);
  }
  return found;
}

/** As an operator who suspects a leak. */
export async function revokeTokensOf(bao: OpenBao, role: string): Promise<void> {
  for (const accessor of await tokensOf(bao, role)) await bao.call('POST', 'auth/token/revoke-accessor', { accessor });
}
