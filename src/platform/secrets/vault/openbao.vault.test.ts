/**
 * Secrets from a real OpenBao: the three logins, renewal, rotation, and everything that happens to a Vault while a service runs
 * (consumers.md 3, G21, G22). What the fake of `open-secret-source.test.ts` answers is what this one answered.
 */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { OpenBao } from '../../../../scripts/engines/start-openbao.ts';
import {
  makeAppRole,
  makeSecretId,
  makeToken,
  prepareOpenBao,
  putSecret,
  revokeTokensOf,
  startTestOpenBao,
  tokensOf,
} from '../../../../test/support/openbao.ts';
import { temporaryFile, temporaryFolder } from '../../../../test/support/temporary-folder.ts';
import { startTokenReview, type TokenReview } from '../../../../test/support/token-review.ts';
import { until } from '../../../../test/support/until.ts';
import { type CcxError, errorText } from '../../../encoding/ccx-error.ts';
import { createSystemClock } from '../../clock/clock.ts';
import { loadConfig } from '../../config/load-config.ts';
import { defineOptions, environmentName } from '../../config/options.ts';
import { createTelemetry } from '../../telemetry/telemetry.ts';
import { openSecretSource } from '../open-secret-source.ts';
import { type VaultAuth, type VaultSettings, vaultOptions, vaultSettings } from './vault-settings.ts';
import { vaultTls } from './vault-tls.ts';

const clock = createSystemClock();

/** A source on that OpenBao, closed behind the test; `logged` is all that it logs. */
function open(t: TestContext, bao: OpenBao, auth: VaultAuth, other: Partial<VaultSettings> = {}) {
  let logged = '';
  const destination = new Writable({
    write(chunk, _encoding, done) {
      logged += String(chunk);
      done();
    },
  });
  const telemetry = createTelemetry({ service: 'test', level: 'debug', destination });
  const vault: VaultSettings = { address: bao.url, namespace: '', mount: 'secret', kvVersion: 2, auth, ...other };
  const source = openSecretSource({ vault, clock, telemetry });
  t.after(() => source.close());
  const secret = (configured: string) => source.secret({ setting: 'LOG_SECRET', configured });
  return { source, secret, logged: () => logged };
}

const byToken = (text: string, file?: string): VaultAuth => ({
  kind: 'token',
  token: { text, ...(file === undefined ? {} : { file }) },
});
const byAppRole = (roleId: string, secretId: string, mount = 'approle'): VaultAuth => ({
  kind: 'approle',
  mount,
  roleId,
  secretId: { text: secretId },
});

/** What the error says, whose hint must fit; and that it holds no word of what is secret. */
async function rejectsWith(reading: Promise<string>, code: string, hint: RegExp, ...secrets: readonly string[]) {
  await assert.rejects(reading, (error: CcxError) => {
    assert.equal(error.code, code, errorText(error));
    assert.match(error.hint ?? '', hint);
    const text = `${error.stack} ${errorText(error)} ${error.hint}`;
    for (const hidden of secrets) assert.equal(text.includes(hidden), false, 'a secret is told');
    return true;
  });
}

describe('a real OpenBao', () => {
  let bao: OpenBao;
  let review: TokenReview;
  before(async () => {
    // Its keys are made while nothing else may run in this process: no token could be renewed meanwhile.
    review = await startTokenReview();
    bao = await startTestOpenBao();
    await prepareOpenBao(bao);
    await putSecret(bao, 'kept', { key: 'hunter2' });
  });
  after(() => review.close());

  test('by token: fields of both KV versions, and a value that was written anew is read at once when it was refused', async (t) => {
    const { secret } = open(t, bao, byToken(await makeToken(bao)));
    await putSecret(bao, 'team/log?in', { id: 'CLIENT', key: 'one', port: 8443 });
    const key = secret('vault:team/log?in#key');
    assert.equal(await key.value(), 'one');
    assert.equal(await secret('vault:team/log?in#port').value(), '8443');
    await putSecret(bao, 'team/log?in', { id: 'CLIENT', key: 'two' });
    assert.equal(await key.value(), 'one');
    assert.equal(await key.reload(), 'two');

    await bao.call('POST', 'old/log', { key: 'of version 1' });
    const old = open(t, bao, byToken(await makeToken(bao)), { mount: 'old', kvVersion: 1 });
    assert.equal(await old.secret('vault:log#key').value(), 'of version 1');
  });

  test('G21: a token without the policy default may not be looked up, and reads all the same', async (t) => {
    const { secret } = open(t, bao, byToken(await makeToken(bao, { no_default_policy: true })));
    assert.equal(await secret('vault:kept#key').value(), 'hunter2');
  });

  test('G21: a token at its end stops the start; behind that the one that its file holds now counts', async (t) => {
    const first = await makeToken(bao, { ttl: '1s', explicit_max_ttl: '1s' });
    const file = temporaryFile('token', first);
    const { secret, logged } = open(t, bao, byToken(first, file));
    await putSecret(bao, 'agent', { key: 'one' });
    const key = secret('vault:agent#key');
    assert.equal(await key.value(), 'one');
    await until(async () => (await fetchStatus(bao, first)) === 403);
    await rejectsWith(
      open(t, bao, byToken(first)).secret('vault:agent#key').value(),
      'VAULT_FORBIDDEN',
      /vault\.auth/,
      first,
    );
    await putSecret(bao, 'agent', { key: 'two' });
    assert.equal(await key.reload(), 'one', 'the last good value');
    assert.match(logged(), /VAULT_FORBIDDEN/);
    await writeFile(file, await makeToken(bao));
    assert.equal(await key.reload(), 'two');
    assert.equal(logged().includes(first), false);
  });

  test('by AppRole: renewed before its end, replaced at the end of its maximum life, and revoked when we stop', async (t) => {
    const { roleId, secretId } = await makeAppRole(bao, 'renewed', { token_ttl: '3s', token_max_ttl: '8s' });
    const { source, secret, logged } = open(t, bao, byAppRole(roleId, secretId));
    const key = secret('vault:kept#key');
    const readUntil = async (ms: number) => {
      for (; performance.now() - begun < ms; await clock.sleep(200)) assert.equal(await key.reload(), 'hunter2');
    };
    const begun = performance.now();
    await key.value();
    const [first] = await tokensOf(bao, 'renewed');
    await readUntil(4_000);
    assert.deepEqual(await tokensOf(bao, 'renewed'), [first], 'it outlived what a login gives');
    await readUntil(9_000);
    const living = await tokensOf(bao, 'renewed');
    assert.ok(!living.includes(first!) && living.length > 0, 'another one took its place');
    assert.doesNotMatch(logged(), /stays in use/);
    await source.close();
    await until(async () => (await tokensOf(bao, 'renewed')).length === 0);
  });

  test('G21: revoked tokens: one login, and the secret is read; the secret id used up: the last good value and its reason', async (t) => {
    const { roleId, secretId } = await makeAppRole(bao, 'revoked');
    const { secret, logged } = open(t, bao, byAppRole(roleId, secretId));
    await putSecret(bao, 'revoked', { key: 'one' });
    const key = secret('vault:revoked#key');
    assert.equal(await key.value(), 'one');
    await revokeTokensOf(bao, 'revoked');
    await putSecret(bao, 'revoked', { key: 'two' });
    assert.equal(await key.reload(), 'two');
    assert.equal((await tokensOf(bao, 'revoked')).length, 1);

    await bao.call('POST', 'auth/approle/role/revoked/secret-id/destroy', { secret_id: secretId });
    await revokeTokensOf(bao, 'revoked');
    assert.equal(await key.reload(), 'two');
    assert.match(logged(), /VAULT_LOGIN/);
    assert.equal(logged().includes(secretId), false);
  });

  test('a secret id that is good for one login, and rotated in its file', async (t) => {
    const { roleId, secretId } = await makeAppRole(bao, 'once');
    await bao.call('POST', 'auth/approle/role/once', { secret_id_num_uses: 1 });
    const file = temporaryFile('secret-id', await makeSecretId(bao, 'once'));
    const auth: VaultAuth = { kind: 'approle', mount: 'approle', roleId, secretId: { text: secretId, file } };
    const key = open(t, bao, auth).secret('vault:kept#key');
    assert.equal(await key.value(), 'hunter2');
    await revokeTokensOf(bao, 'once');
    await writeFile(file, await makeSecretId(bao, 'once'));
    await putSecret(bao, 'kept-too', { key: 'v' });
    assert.equal(await key.reload(), 'hunter2');
    assert.equal((await tokensOf(bao, 'once')).length, 1);
  });

  test('what a role may since its policy was changed is found out by a login, which leaves no token behind', async (t) => {
    const { roleId, secretId } = await makeAppRole(bao, 'widened');
    await bao.call('POST', 'auth/approle/role/widened', { token_policies: [] });
    const { secret } = open(t, bao, byAppRole(roleId, secretId));
    const key = secret('vault:kept#key');
    for (let tries = 0; tries < 3; tries += 1) {
      await rejectsWith(key.reload(), 'VAULT_FORBIDDEN', /policy lacks secret\/data\/kept/);
    }
    await until(async () => (await tokensOf(bao, 'widened')).length === 1);
    await bao.call('POST', 'auth/approle/role/widened', { token_policies: ['reader'] });
    assert.equal(await key.reload(), 'hunter2');
  });

  test('G21: each wrong setting has an error that names it', async (t) => {
    const { roleId, secretId } = await makeAppRole(bao, 'wrong');
    const token = await makeToken(bao);
    const read = (auth: VaultAuth, path = 'kept#key', other: Partial<VaultSettings> = {}) =>
      open(t, bao, auth, other).secret(`vault:${path}`).value();
    await rejectsWith(read(byAppRole('nobody', secretId)), 'VAULT_LOGIN', /vault\.role_id/, secretId);
    await rejectsWith(read(byAppRole(roleId, 'no-such-id')), 'VAULT_LOGIN', /vault\.secret_id/, 'no-such-id');
    await rejectsWith(read(byAppRole(roleId, secretId, 'elsewhere')), 'VAULT_LOGIN', /vault\.auth_mount/, secretId);
    const namespace = { namespace: 'nowhere' };
    await rejectsWith(read(byAppRole(roleId, secretId), 'kept#key', namespace), 'VAULT_LOGIN', /vault\.namespace/);
    await rejectsWith(read(byToken('s.nobodys')), 'VAULT_FORBIDDEN', /vault\.auth/, 's.nobodys');
    await rejectsWith(read(byToken(token), 'kept#key', { mount: 'elsewhere' }), 'VAULT_FORBIDDEN', /vault\.mount/);
    await rejectsWith(read(byToken(token), 'none#key'), 'VAULT_SECRET_MISSING', /the path/);
    await rejectsWith(read(byToken(token), 'kept#other'), 'VAULT_FIELD', /LOG_SECRET/);
    // KV version 2 read as 1, with and without the right to ask; and 1 as 2.
    const asVersion1 = { kvVersion: 1 } as const;
    await rejectsWith(read(byToken(token), 'kept#key', asVersion1), 'VAULT_FORBIDDEN', /vault\.kv_version/);
    const root = byToken(bao.rootToken);
    await rejectsWith(read(root, 'kept#key', asVersion1), 'VAULT_SECRET_MISSING', /vault\.kv_version \(1\)/);
    await rejectsWith(read(root, 'x#key', { mount: 'old' }), 'VAULT_SECRET_MISSING', /vault\.kv_version \(2\)/);
    await rejectsWith(read(root, 'kept#key', { mount: 'elsewhere' }), 'VAULT_SECRET_MISSING', /vault\.mount/);
  });

  test('G21: a version that is deleted, undeleted and destroyed', async (t) => {
    const { secret, logged } = open(t, bao, byToken(await makeToken(bao)));
    await putSecret(bao, 'gone', { key: 'v' });
    const key = secret('vault:gone#key');
    assert.equal(await key.value(), 'v');
    await bao.call('DELETE', 'secret/data/gone');
    assert.equal(await key.reload(), 'v', 'the last good value');
    assert.match(logged(), /VAULT_SECRET_DELETED/);
    const unread = () => open(t, bao, byToken(bao.rootToken)).secret('vault:gone#key').value();
    await rejectsWith(unread(), 'VAULT_SECRET_DELETED', /undelete it/);
    await bao.call('POST', 'secret/undelete/gone', { versions: [1] });
    assert.equal(await unread(), 'v');
    await bao.call('POST', 'secret/destroy/gone', { versions: [1] });
    await rejectsWith(unread(), 'VAULT_SECRET_DELETED', /write a new version/);
  });

  test('by Kubernetes: the token of the pod, which rotates, is reviewed at each login', async (t) => {
    await bao.call('POST', 'auth/kubernetes/config', {
      kubernetes_host: review.url,
      kubernetes_ca_cert: review.authority,
      token_reviewer_jwt: review.issue('vault'),
    });
    await bao.call('POST', 'auth/kubernetes/role/notifier', {
      bound_service_account_names: ['ccx-notifier'],
      bound_service_account_namespaces: ['notifications'],
      audience: 'vault',
      token_policies: ['reader'],
    });
    const first = review.issue('ccx-notifier');
    const jwtFile = temporaryFile('token', first);
    const auth: VaultAuth = { kind: 'kubernetes', mount: 'kubernetes', role: 'notifier', jwtFile };
    const key = open(t, bao, auth).secret('vault:kept#key');
    assert.equal(await key.value(), 'hunter2');
    review.takeBack(first);
    await revokeTokensOf(bao, 'notifier');
    const second = review.issue('ccx-notifier');
    await writeFile(jwtFile, second);
    assert.equal(await key.reload(), 'hunter2');
    assert.equal((await tokensOf(bao, 'notifier')).length, 1);

    const read = (other: Partial<VaultAuth>) =>
      open(t, bao, { ...auth, ...other } as VaultAuth)
        .secret('vault:kept#key')
        .value();
    await rejectsWith(read({ role: 'nobody' }), 'VAULT_LOGIN', /vault\.role\b/, second);
    const stranger = temporaryFile('token', review.issue('default'));
    await rejectsWith(read({ jwtFile: stranger }), 'VAULT_LOGIN', /bound to the pod's service account/, second);
    await rejectsWith(read({ jwtFile: temporaryFile('token', first) }), 'VAULT_LOGIN', /vault\.jwt_file/, first);
    await rejectsWith(read({ jwtFile: '/nonexistent/token' }), 'SECRET_FILE', /vault\.jwt_file/);
  });
});

/** Of a look at itself. */
async function fetchStatus(bao: OpenBao, token: string): Promise<number> {
  const answer = await fetch(`${bao.url}/v1/auth/token/lookup-self`, { headers: { 'X-Vault-Token': token } });
  await answer.arrayBuffer();
  return answer.status;
}

test('G21: not initialised, sealed, killed: the start names the state, a service goes on with what it has and by itself', async (t) => {
  const bao = await startTestOpenBao({ initialised: false });
  const unread = (token: string) => open(t, bao, byToken(token)).secret('vault:kept#key').value();
  await rejectsWith(unread('s.any'), 'VAULT_NOT_INITIALISED', /bao operator init/);
  await bao.initialise();
  await prepareOpenBao(bao);
  await putSecret(bao, 'kept', { key: 'one' });
  const { roleId, secretId } = await makeAppRole(bao, 'notifier', { token_ttl: '20m' });
  const { secret, logged } = open(t, bao, byAppRole(roleId, secretId));
  const key = secret('vault:kept#key');
  assert.equal(await key.value(), 'one');

  await bao.seal();
  assert.equal(await key.reload(), 'one');
  assert.match(logged(), /VAULT_SEALED/);
  await rejectsWith(unread(bao.rootToken), 'VAULT_SEALED', /unseal Vault/);
  await bao.unseal();
  await putSecret(bao, 'kept', { key: 'two' });
  assert.equal(await key.reload(), 'two');

  await bao.kill();
  assert.equal(await key.reload(), 'two');
  assert.match(logged(), /VAULT_UNREACHABLE/);
  await rejectsWith(unread(bao.rootToken), 'VAULT_UNREACHABLE', /vault\.address/);
  await bao.start();
  await rejectsWith(unread(bao.rootToken), 'VAULT_SEALED', /unseal Vault/);
  await bao.unseal();
  await putSecret(bao, 'kept', { key: 'three' });
  assert.equal(await key.reload(), 'three', 'storage, token and login outlive the process');
  assert.equal((await tokensOf(bao, 'notifier')).length, 1, 'no login was needed');
});

test('a certificate that is not trusted, and the wrong kind of address, are said as such', async (t) => {
  const bao = await startTestOpenBao({ tls: true });
  const unread = (address: string) =>
    open(t, bao, byToken(bao.rootToken), { address }).secret('vault:kept#key').value();
  await rejectsWith(unread(bao.url), 'VAULT_TLS', /vault\.ca_file \(VAULT_CACERT\)/);
  await rejectsWith(unread(bao.url.replace('https:', 'http:')), 'VAULT_REFUSED', /http:\/\/ or https:\/\//);
  const plain = await startTestOpenBao({ initialised: false });
  await rejectsWith(unread(plain.url.replace('http:', 'https:')), 'VAULT_UNREACHABLE', /http:\/\/ or https:\/\//);
});

test('an authority of its own, a client certificate and another name, by our options and by those of the tools', async (t) => {
  const bao = await startTestOpenBao({ tls: true, clientCertificates: true });
  await prepareOpenBao(bao);
  await putSecret(bao, 'kept', { key: 'one' });
  const file = (name: string) => join(bao.certificates, name);
  const read = (env: Readonly<Record<string, string>>) => {
    const table = defineOptions({ name: 'test', envPrefix: 'CCX_TEST', options: vaultOptions });
    const client = { VAULT_CLIENT_CERT: file('client.pem'), VAULT_CLIENT_KEY: file('client.key') };
    const all = { VAULT_ADDR: bao.url, VAULT_TOKEN: bao.rootToken, ...client, ...env };
    const { config } = loadConfig(table, { env: all });
    const settings = vaultSettings({ config, env: all, environmentName: (key) => environmentName(table, key) });
    const { tls } = settings!;
    return open(t, bao, byToken(bao.rootToken), tls === undefined ? {} : { tls })
      .secret('vault:kept#key')
      .value();
  };
  const folder = temporaryFolder();
  for (const name of ['ca.pem', 'other-ca.pem']) copyFileSync(file(name), join(folder, name));
  writeFileSync(join(folder, 'README'), 'the authorities of this site');
  mkdirSync(join(folder, 'more'));
  const authority = readFileSync(file('ca.pem'), 'utf8');

  const accepted: readonly Readonly<Record<string, string>>[] = [
    { CCX_TEST__VAULT__CA_FILE: file('ca.pem'), VAULT_CACERT: file('other-ca.pem') },
    { VAULT_CACERT: file('ca.pem'), VAULT_CAPATH: '/nowhere' },
    { BAO_CACERT: file('ca.pem') },
    { VAULT_CACERT_BYTES: authority, VAULT_CAPATH: '/nowhere' },
    { VAULT_CAPATH: folder, VAULT_SKIP_VERIFY: 'false' },
    { VAULT_CACERT: file('ca.pem'), VAULT_TLS_SERVER_NAME: 'localhost' },
  ];
  for (const env of accepted) assert.equal(await read(env), 'one', JSON.stringify(env));

  await rejectsWith(read({}), 'VAULT_TLS', /vault\.ca_file/);
  await rejectsWith(read({ VAULT_CACERT: file('other-ca.pem') }), 'VAULT_TLS', /vault\.ca_file/);
  const elsewhere = { VAULT_CACERT: file('ca.pem'), CCX_TEST__VAULT__TLS_SERVER_NAME: 'vault.example' };
  await rejectsWith(read(elsewhere), 'VAULT_TLS', /vault\.tls_server_name/);
  const stranger = { VAULT_CACERT: file('ca.pem'), VAULT_CLIENT_CERT: '', VAULT_CLIENT_KEY: '' };
  await rejectsWith(read(stranger), 'VAULT_TLS', /vault\.client_cert_file \(VAULT_CLIENT_CERT\)/);
});

test('an authority that is replaced in its file is taken with the next call', async (t) => {
  const bao = await startTestOpenBao({ tls: true });
  await prepareOpenBao(bao);
  await putSecret(bao, 'kept', { key: 'one' });
  const path = temporaryFile('ca.pem', readFileSync(join(bao.certificates, 'other-ca.pem'), 'utf8'));
  const tls = vaultTls({
    value: (key) => (key === 'vault.ca_file' ? path : ''),
    variable: () => '',
    environmentName: String,
  })!;
  const { secret } = open(t, bao, byToken(bao.rootToken), { tls });
  const reading = () => secret('vault:kept#key').value();
  await rejectsWith(reading(), 'VAULT_TLS', /vault\.ca_file/);
  writeFileSync(path, readFileSync(join(bao.certificates, 'ca.pem')));
  assert.equal(await reading(), 'one');
});
